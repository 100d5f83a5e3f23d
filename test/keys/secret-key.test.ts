import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeSecretKey, readSecretKey } from "../../src/keys/secret-key.ts";

describe("the key of a data folder", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "signalman-key-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("is made once and is the same from then on", async () => {
    const made = await readSecretKey(folder);
    expect(made).toHaveLength(32);
    expect(await readSecretKey(folder)).toEqual(made);
    expect(readFileSync(join(folder, "secret.key"), "utf8")).toBe(`${made.toString("base64")}\n`);
  });

  test("is for its owner's eyes only, and nothing else is left beside it", async () => {
    await readSecretKey(folder);
    expect(statSync(join(folder, "secret.key")).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(["secret.key"]);
  });

  test("is another one in another folder", async () => {
    const other = mkdtempSync(join(tmpdir(), "signalman-key-"));
    expect(await readSecretKey(folder)).not.toEqual(await readSecretKey(other));
    rmSync(other, { recursive: true });
  });

  test("that is broken is reported by its path, and left as it is", async () => {
    const file = join(folder, "secret.key");
    writeFileSync(file, "c2hvcnQ=\n");
    await expect(readSecretKey(folder)).rejects.toThrow(`${file} must hold 32 bytes as base64`);
    expect(readFileSync(file, "utf8")).toBe("c2hvcnQ=\n");
  });
});

test("a key is 32 bytes as base64, with or without white space around it", () => {
  const text = Buffer.alloc(32, 7).toString("base64");
  expect(decodeSecretKey(` ${text}\n`)).toEqual(Buffer.alloc(32, 7));
  expect(() => decodeSecretKey(text.slice(4))).toThrow(/^must hold 32 bytes as base64.*; it holds 29$/);
  expect(() => decodeSecretKey("f".repeat(64))).toThrow(/it holds 48$/);
});
