import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeSecretKeys, readSecretKeys } from "../../src/keys/secret-key.ts";
import { OBSTACLES } from "../support/obstacles.ts";

describe("the key of a data folder", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "signalman-key-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("is created once and stays the same", async () => {
    const made = await readSecretKeys(folder);
    expect(made).toEqual([expect.objectContaining({ length: 32 })]);
    expect(await readSecretKeys(folder)).toEqual(made);
    expect(readFileSync(join(folder, "secret.key"), "utf8")).toBe(`${made[0].toString("base64")}\n`);
  });

  test("is readable by its owner only, and no other file is left beside it", async () => {
    await readSecretKeys(folder);
    expect(statSync(join(folder, "secret.key")).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(["secret.key"]);
  });

  test("may be a file or a link to a file, and is refused as anything else", async () => {
    const [key] = await readSecretKeys(folder);
    const file = join(folder, "secret.key");
    renameSync(file, join(folder, "mounted"));
    symlinkSync("mounted", file);
    expect(await readSecretKeys(folder)).toEqual([key]);
    for (const { put, what } of OBSTACLES) {
      rmSync(file, { recursive: true });
      put(file);
      await expect(readSecretKeys(folder), what).rejects.toThrow(`Cannot use ${file}: it `);
    }
  });

  test("differs from that of another folder", async () => {
    const other = mkdtempSync(join(tmpdir(), "signalman-key-"));
    expect(await readSecretKeys(folder)).not.toEqual(await readSecretKeys(other));
    rmSync(other, { recursive: true });
  });

  test("that is not valid is reported by its path and not changed", async () => {
    const file = join(folder, "secret.key");
    writeFileSync(file, "c2hvcnQ=\n");
    await expect(readSecretKeys(folder)).rejects.toThrow(`${file} holds `);
    expect(readFileSync(file, "utf8")).toBe("c2hvcnQ=\n");
  });
});

test("a key is 32 bytes as base64, with or without white space around it", () => {
  const text = Buffer.alloc(32, 7).toString("base64");
  expect(decodeSecretKeys(` ${text}\n`)).toEqual([Buffer.alloc(32, 7)]);
  expect(() => decodeSecretKeys(text.slice(4))).toThrow(/^holds 29 bytes as base64; a key must have 32/);
  expect(() => decodeSecretKeys("f".repeat(64))).toThrow(/^holds 48 bytes/);
});

test("several keys are joined by commas or stand on separate lines", () => {
  const [one, two] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const texts = [one, two].map((key) => key.toString("base64"));
  expect(decodeSecretKeys(texts.join(","))).toEqual([one, two]);
  expect(decodeSecretKeys(`${texts.join("\n")}\n`)).toEqual([one, two]);
  expect(() => decodeSecretKeys(`${texts[0]},short`)).toThrow(/bytes as base64; a key must have 32/);
});
