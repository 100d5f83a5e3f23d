import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { createCipher } from "../../src/keys/cipher.ts";
import { openSecrets, sealSecrets } from "../../src/runner/secrets.ts";
import { PrepareError } from "../../src/task/errors.ts";

const cipher = createCipher(randomBytes(32));
const task = { project: "p", template: "t" };
const values = { PIN: "1234", KEY: "line 1\nline 2 ✓" };

test("secrets come back as they were given, and are not to be read in between", () => {
  const secrets = sealSecrets(cipher, task, values);
  expect(secrets?.includes("1234")).toBe(false);
  expect(openSecrets(cipher, { ...task, secrets })).toEqual(values);
});

test("no secrets are nothing", () => {
  expect(sealSecrets(cipher, task, {})).toBeNull();
  expect(openSecrets(cipher, { ...task, secrets: null })).toEqual({});
});

test("another template's task cannot open them, nor can a server with another key, who is told what to do", () => {
  const secrets = sealSecrets(cipher, task, values);
  expect(() => openSecrets(cipher, { ...task, template: "u", secrets })).toThrow(PrepareError);
  const other = createCipher(randomBytes(32));
  expect(() => openSecrets(other, { ...task, secrets })).toThrow(/need the same SIGNALMAN_SECRET_KEY/);
});
