import { randomBytes } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { accessKeyContext, environmentContext } from "../../src/keys/access-key.ts";
import { createCipher } from "../../src/keys/cipher.ts";
import { openSecrets, secretValues, shortSecrets } from "../../src/runner/secrets.ts";
import { sealSecrets } from "../../src/submission/seal-secrets.ts";
import { PrepareError } from "../../src/task/errors.ts";

const cipher = createCipher([randomBytes(32)]);
const task = { project: "p", template: "t" };
const values = { PIN: "1234", KEY: "line 1\nline 2 ✓" };
const seal = (value: unknown, context: string) => cipher.seal(JSON.stringify(value), context);

test("sealed secrets are unreadable and open to the same values", () => {
  const secrets = sealSecrets(cipher, task, values);
  expect(secrets?.includes("1234")).toBe(false);
  expect(openSecrets(cipher, { ...task, secrets }, null).variables).toEqual(values);
});

test("a task without secrets stores none", () => {
  expect(sealSecrets(cipher, task, {})).toBeNull();
  expect(openSecrets(cipher, { ...task, secrets: null }, null)).toEqual({
    variables: {},
    environment: { variables: {}, env: {} },
    keys: new Map(),
  });
});

test("secrets do not open for another template's task or with another key; the error says what to do", () => {
  const secrets = sealSecrets(cipher, task, values);
  expect(() => openSecrets(cipher, { ...task, template: "u", secrets }, null)).toThrow(PrepareError);
  const other = createCipher([randomBytes(32)]);
  expect(() => openSecrets(other, { ...task, secrets }, null)).toThrow(/need the same SIGNALMAN_SECRET_KEY/);
});

describe("secrets of resources", () => {
  const environment = { variables: { db: "sesame" }, env: { TOKEN: "tok" } };
  const keyRow = (name: string, spec: JsonObject, secrets: object) => ({
    spec,
    secrets: seal(secrets, accessKeyContext("p", name)).toString("base64"),
  });
  const rows = {
    template: { environment: "projects/p/environments/e" },
    environmentSecrets: seal(environment, environmentContext("p", "e")),
    keys: {
      s: keyRow("s", { ssh: { login: "root" } }, { privateKey: "PRIVATE", passphrase: "phrase" }),
      l: keyRow("l", { loginPassword: {} }, { password: "pass" }),
      t: keyRow("t", { text: {} }, { value: "text" }),
      n: { spec: {}, secrets: null },
    },
  };
  const opened = () => openSecrets(cipher, { ...task, secrets: sealSecrets(cipher, task, values) }, rows);

  test("open for the resource that they are bound to", () => {
    expect(opened().environment).toEqual(environment);
    expect(Object.fromEntries(opened().keys)).toEqual({
      "projects/p/accessKeys/s": {
        name: "projects/p/accessKeys/s",
        kind: "ssh",
        login: "root",
        privateKey: "PRIVATE",
        passphrase: "phrase",
      },
      "projects/p/accessKeys/l": {
        name: "projects/p/accessKeys/l",
        kind: "login_password",
        login: "",
        password: "pass",
      },
      "projects/p/accessKeys/t": { name: "projects/p/accessKeys/t", kind: "text", value: "text" },
      "projects/p/accessKeys/n": { name: "projects/p/accessKeys/n", kind: "none" },
    });
  });

  test("are all among the values to mask", () => {
    const all = [...Object.values(values), "sesame", "tok", "PRIVATE", "phrase", "pass", "text"];
    expect(secretValues(opened()).sort()).toEqual(all.sort());
  });

  test("are named if they are too short to be masked, each once", () => {
    expect(shortSecrets(opened())).toEqual(["TOKEN"]);
  });

  test("that cannot be opened are named by their resource", () => {
    const moved = { ...rows, keys: { other: rows.keys.s } };
    expect(() => openSecrets(cipher, { ...task, secrets: null }, moved)).toThrow(
      /^Cannot open the secrets of projects\/p\/accessKeys\/other: /,
    );
    const elsewhere = { ...rows, template: { environment: "projects/p/environments/other" } };
    expect(() => openSecrets(cipher, { ...task, secrets: null }, elsewhere)).toThrow(
      /^Cannot open the secrets of projects\/p\/environments\/other: /,
    );
  });
});
