import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { createCipher } from "../../src/keys/cipher.ts";

const key = randomBytes(32);
const cipher = createCipher([key]);

test.each(["", "pass", "line 1\nline 2\0 ✓", "x".repeat(100_000)])(
  "a sealed text opens to the same text (%#)",
  (text) => {
    expect(createCipher([Buffer.from(key)]).open(cipher.seal(text, "task"), "task")).toBe(text);
  },
);

test("sealing the same text twice gives different results, none of which contains it", () => {
  const [one, two] = [cipher.seal("correct horse", "c"), cipher.seal("correct horse", "c")];
  expect(one.equals(two)).toBe(false);
  expect(one.includes("correct") || one.includes(Buffer.from("correct horse").toString("base64"))).toBe(
    false,
  );
});

test("a sealed text opens in its own context only", () => {
  expect(() => cipher.open(cipher.seal("x", "task p/a"), "task p/b")).toThrow();
});

test("any changed bit is detected", () => {
  const sealed = cipher.seal("secret", "c");
  for (let byte = 0; byte < sealed.length; byte++) {
    const changed = Buffer.from(sealed);
    changed[byte] = (changed[byte] ?? 0) ^ 1;
    expect(() => cipher.open(changed, "c"), `byte ${byte}`).toThrow();
  }
});

test("the error for another key differs from that for damage, and says what to do", () => {
  const other = createCipher([randomBytes(32)]);
  expect(() => other.open(cipher.seal("x", "c"), "c")).toThrow(
    "Cannot decrypt a secret: it was encrypted under another key. All servers need the same SIGNALMAN_SECRET_KEY",
  );
});

test.each([Buffer.alloc(0), Buffer.alloc(32), Buffer.from([9, ...new Array(40).fill(0)])])(
  "bytes that were not sealed are refused (%#)",
  (bytes) => {
    expect(() => cipher.open(bytes, "c")).toThrow(
      "Cannot decrypt a secret: its stored form is unknown or damaged; set it again",
    );
  },
);

test("the hash is the same for the same text under the same key only", () => {
  expect(cipher.hash("a")).toEqual(createCipher([key]).hash("a"));
  expect(cipher.hash("a")).not.toEqual(cipher.hash("b"));
  expect(cipher.hash("a")).not.toEqual(createCipher([randomBytes(32)]).hash("a"));
});

test("a key of another length is refused", () => {
  expect(() => createCipher([randomBytes(16)])).toThrow("A secret key has 32 bytes, not 16");
});

test("the first key seals, every key opens, and the last key hashes, so that a new first key changes no hash", () => {
  const fresh = randomBytes(32);
  const both = createCipher([fresh, key]);
  const old = cipher.seal("secret", "c");
  expect(both.open(old, "c")).toBe("secret");
  expect(both.isCurrent(old)).toBe(false);
  const anew = both.seal("secret", "c");
  expect(both.isCurrent(anew)).toBe(true);
  expect(createCipher([fresh]).open(anew, "c")).toBe("secret");
  expect(both.hash("a")).toEqual(cipher.hash("a"));
});
