import type postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AccessKeyService } from "../../../gen/signalman/v1/access_key_pb.ts";
import { EnvironmentService } from "../../../gen/signalman/v1/environment_pb.ts";
import { accessKeyContext, environmentContext } from "../../../src/keys/access-key.ts";
import { createCipher } from "../../../src/keys/cipher.ts";
import { decodeSecretKeys } from "../../../src/keys/secret-key.ts";
import { keyLike } from "../../support/private-key.ts";
import { SECRET_KEY, startService, type TestService } from "../../support/service.ts";
import { invalid, openSql, refusal } from "../support.ts";
import { applier, type Catalog } from "./catalogs.ts";

let service: TestService;
let sql: postgres.Sql;
let apply: ReturnType<typeof applier>["apply"];
let call: ReturnType<typeof applier>["call"];
beforeAll(async () => {
  service = await startService();
  sql = openSql(service);
  ({ apply, call } = applier(service));
});
afterAll(async () => {
  await sql.end();
  await service[Symbol.asyncDispose]();
});

const ssh = (privateKey = "", passphrase = "", login = "git") =>
  ({ case: "ssh", value: { login, privateKey: privateKey && keyLike(privateKey), passphrase } }) as const;
const password = (password = "") => ({ case: "loginPassword", value: { login: "ada", password } }) as const;
const withKey = (kind: ReturnType<typeof ssh> | ReturnType<typeof password>): Catalog => ({
  project: { name: "keys" },
  accessKeys: [{ name: "k", kind }],
});
const withSecrets = (secretVariables: Record<string, string>, secretEnv = {}): Catalog => ({
  project: { name: "env" },
  environments: [{ name: "e", variables: { open: 1 }, secretVariables, secretEnv }],
});

/** Returns the stored secrets, decrypted. */
async function stored(table: "access_keys" | "environments", context: string): Promise<unknown> {
  const [row] = await sql`SELECT secrets FROM ${sql(table)}`;
  const cipher = createCipher(decodeSecretKeys(SECRET_KEY));
  return row?.secrets && JSON.parse(cipher.open(row.secrets, context));
}
const key = () => stored("access_keys", accessKeyContext("keys", "k"));
const environment = () => stored("environments", environmentContext("env", "e"));
const UPDATED = (what: string, ...fields: string[]) => `UPDATE ${[what, ...fields].join(" ")}`;

describe("an access key", () => {
  test("needs its secret when it is created, and keeps it until another is given", async () => {
    expect(await refusal(call(withKey(ssh())))).toEqual(invalid("catalog.access_keys[0].ssh.private_key"));
    await apply(withKey(ssh("first", "opens first")));
    expect(await key()).toEqual({ privateKey: keyLike("first"), passphrase: "opens first" });
    expect(await apply(withKey(ssh("first", "opens first")))).toContain("UNCHANGED accessKeys/k");
    expect(await apply(withKey(ssh()))).toContain("UNCHANGED accessKeys/k");
    expect(await apply(withKey(ssh("", "", "ada")))).toContain(UPDATED("accessKeys/k", "ssh"));
    expect(await key()).toEqual({ privateKey: keyLike("first"), passphrase: "opens first" });
    expect(await apply(withKey(ssh("second", "", "ada")))).toContain(UPDATED("accessKeys/k", "ssh"));
    expect(await key()).toEqual({ privateKey: keyLike("second"), passphrase: "" });
  });

  test("needs a new secret when its type changes", async () => {
    await apply(withKey(ssh("first")));
    expect(await refusal(call(withKey(password())))).toEqual(
      invalid("catalog.access_keys[0].login_password.password"),
    );
    expect(await apply(withKey(password("word")))).toContain(
      UPDATED("accessKeys/k", "login_password", "ssh"),
    );
    expect(await key()).toEqual({ password: "word" });
  });

  test("is returned without its secret", async () => {
    await apply(withKey(password("word")));
    const { accessKey } = await service
      .client(AccessKeyService)
      .getAccessKey({ name: "projects/keys/accessKeys/k" });
    expect(accessKey?.kind).toMatchObject({ case: "loginPassword", value: { login: "ada", password: "" } });
  });
});

describe("secrets of an environment", () => {
  test("are kept name by name, and are deleted with their names, which are shown", async () => {
    await apply(withSecrets({ B: "two", A: "one" }, { TOKEN: "three" }));
    expect(await environment()).toEqual({ variables: { A: "one", B: "two" }, env: { TOKEN: "three" } });
    const { environment: shown } = await service
      .client(EnvironmentService)
      .getEnvironment({ name: "projects/env/environments/e" });
    expect(shown).toMatchObject({ secretVariableNames: ["A", "B"], secretEnvNames: ["TOKEN"] });
    expect(shown).toMatchObject({ secretVariables: {}, secretEnv: {}, variables: { open: 1 } });

    const kept = withSecrets({ A: "", B: "" }, { TOKEN: "" });
    expect(await apply(kept)).toContain("UNCHANGED environments/e");
    expect(await apply(withSecrets({ A: "other" }, { TOKEN: "" }))).toContain(
      UPDATED("environments/e", "secret_variables"),
    );
    expect(await environment()).toEqual({ variables: { A: "other" }, env: { TOKEN: "three" } });
    expect(await apply(withSecrets({}))).toContain(
      UPDATED("environments/e", "secret_env", "secret_variables"),
    );
    expect(await environment()).toBeNull();
  });

  test("need a value when their names are new, even names such as constructor", async () => {
    await apply(withSecrets({ A: "one" }));
    const names = { A: "", B: "", constructor: "" };
    expect(await refusal(call(withSecrets(names)))).toEqual(
      invalid(
        'catalog.environments[0].secret_variables["B"]',
        'catalog.environments[0].secret_variables["constructor"]',
      ),
    );
  });
});

test("without the key that encrypted them, secrets must be given anew, and the error says so", async () => {
  await apply(withKey(ssh("first")));
  await sql`UPDATE access_keys SET secrets = set_byte(secrets, 2, get_byte(secrets, 2) # 255)`;
  expect(await refusal(call(withKey(ssh())))).toMatchObject({
    code: "FailedPrecondition",
    reason: "SECRETS_UNREADABLE",
  });
  await expect(call(withKey(ssh()))).rejects.toThrow(/SIGNALMAN_SECRET_KEY/);
  expect(await apply(withKey(ssh("first")))).toContain(UPDATED("accessKeys/k", "ssh"));
  expect(await key()).toEqual({ privateKey: keyLike("first"), passphrase: "" });
});

test("without that key, secrets that the catalog leaves out are deleted all the same", async () => {
  await apply(withSecrets({ A: "one" }));
  await sql`UPDATE environments SET secrets = set_byte(secrets, 2, get_byte(secrets, 2) # 255)`;
  expect(await apply(withSecrets({}))).toContain(UPDATED("environments/e", "secret_variables"));
  expect(await environment()).toBeNull();
});
