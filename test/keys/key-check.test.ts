import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { accessKeyContext } from "../../src/keys/access-key.ts";
import { createCipher } from "../../src/keys/cipher.ts";
import { checkSecretKeys, sealCheckAnew, WrongSecretKeyError } from "../../src/keys/key-check.ts";
import { readKeyCheck } from "../../src/store/secret-key-check.ts";
import { openStore, type TestStore } from "../store/fixture.ts";

let store: TestStore;
beforeEach(async () => {
  store = await openStore();
});
afterEach(() => store[Symbol.asyncDispose]());

const [ours, other, fresh] = [randomBytes(32), randomBytes(32), randomBytes(32)];
const check = (...keys: [Buffer, ...Buffer[]]) =>
  checkSecretKeys(store.database, createCipher(keys), "SIGNALMAN_SECRET_KEY");

/** Stores a secret as an earlier version did. */
async function storeSecret(name: string, key: Buffer): Promise<void> {
  const sealed = createCipher([key]).seal("{}", accessKeyContext("p", name));
  await store.sql`INSERT INTO projects (name, spec) VALUES ('p', '{}') ON CONFLICT DO NOTHING`;
  await store.sql`INSERT INTO access_keys (project, name, spec, secrets) VALUES ('p', ${name}, '{}', ${sealed})`;
}

test("the first server sets the key of the database; other servers need that key", async () => {
  await check(ours);
  await check(ours);
  await check(fresh, ours);
  await expect(check(other)).rejects.toThrow(WrongSecretKeyError);
  await expect(check(other)).rejects.toThrow(/SIGNALMAN_SECRET_KEY holds another key.*--lost-key/);
});

test("of two servers that start first with different keys, one is refused", async () => {
  const outcomes = await Promise.allSettled([check(ours), check(other)]);
  expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
});

test("a database of an earlier version accepts only a key that opens a stored secret", async () => {
  await storeSecret("a", ours);
  await expect(check(other)).rejects.toThrow(WrongSecretKeyError);
  expect(await readKeyCheck(store.database)).toBeUndefined();
  await storeSecret("b", other);
  await check(ours);
  await expect(check(other)).rejects.toThrow(WrongSecretKeyError);
});

test("the check value is sealed under the first key if a key opens it or the key is lost", async () => {
  await check(ours);
  expect(await sealCheckAnew(store.database, createCipher([other]), false)).toBe(false);
  await check(ours);
  expect(await sealCheckAnew(store.database, createCipher([fresh, ours]), false)).toBe(true);
  await check(fresh);
  await expect(check(ours)).rejects.toThrow(WrongSecretKeyError);
  expect(await sealCheckAnew(store.database, createCipher([other]), true)).toBe(true);
  await check(other);
});
