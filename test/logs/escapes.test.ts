import { expect, test } from "vitest";
import { type Cleaning, createEscapeFilter, stripEscapes } from "../../src/logs/escapes.ts";

test.each([
  ["plain ü\r", "plain ü\r"],
  ["\x1b[1;31mred\x1b[0m", "red"],
  ["\x1b[2K\x1b[38;5;12mx\x1b[?25l", "x"],
  ["\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "alink"],
  ["\x1b(Bok\x1bMup\x1b7", "okup"],
  ["\x1bPdcs\x1b\\x\x1b_apc\x07y", "xy"],
  ["end\x1b", "end"],
  ["cut\x1b[3", "cut"],
  ["\x1b]open\nnext", "\nnext"],
  ["\x1b[31\nnext", "\nnext"],
  ["\u009b31mred\u009b0m", "red"],
  ["\u009d0;title \u00dc\u009cx\u0085y", "xy"],
  ["\x1b]52;c;Ü€🚚\x07after", "after"],
  ["Ä € 🚚 Ü", "Ä € 🚚 Ü"],
])("escape codes are stripped from %j", (text, wanted) => {
  expect(stripEscapes(Buffer.from(text)).toString()).toBe(wanted);
});

test("of bytes that are not UTF-8, only C1 codes are stripped", () => {
  const bytes = Buffer.from("caf\xe9 \x9b31m \xff\xc3(\x80", "latin1");
  expect(stripEscapes(bytes).toString("latin1")).toBe("caf\xe9 31m \xff\xc3(");
});

const EVIL =
  "a\x1b[1;31mred\x1b[0m \x1b]0;title\x07\x1b]52;c;eA==\x07b\x1b[2J\x1b[10A\rc\u009b2Jd\u009d0;x\u009ce\x07\x0e\x05f\tg Ä€🚚\x1b(0h\x1bc\n";

test.each<[Cleaning, string]>([
  ["colors", "a\x1b[1;31mred\x1b[0m b\rcdef\tg Ä€🚚h\n"],
  ["text", "ared b\rcdef\tg Ä€🚚h\n"],
  ["plain", "ared b\rcde\x07\x0e\x05f\tg Ä€🚚h\n"],
  ["uncolored", EVIL.replace("\x1b[1;31m", "").replace("\x1b[0m", "")],
])("a stream is cleaned to %s, wherever its pieces are cut", (cleaning, wanted) => {
  const bytes = Buffer.from(EVIL.repeat(2));
  for (let size = 1; size <= bytes.length; size++) {
    const filter = createEscapeFilter(cleaning);
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) parts.push(filter.write(bytes.subarray(at, at + size)));
    expect(Buffer.concat([...parts, filter.end()]).toString()).toBe(wanted.repeat(2));
  }
});

test("a sequence that never ends is not held back for ever", () => {
  const filter = createEscapeFilter("colors");
  for (let i = 0; i < 1000; i++) expect(filter.write(Buffer.alloc(10_000, "x"))).toHaveLength(10_000);
  filter.write(Buffer.from("\x1b]0;"));
  for (let i = 0; i < 1000; i++) expect(filter.write(Buffer.alloc(10_000, "x"))).toHaveLength(0);
  expect(filter.write(Buffer.from("\nshown")).toString()).toBe("\nshown");
});

test("without colors, all other bytes stay as they are", () => {
  const filter = createEscapeFilter("uncolored");
  const bytes = Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 256));
  const out = Buffer.concat([filter.write(bytes), filter.write(Buffer.from("\x1b[3")), filter.end()]);
  expect(out.equals(Buffer.concat([bytes, Buffer.from("\x1b[3")]))).toBe(true);
});
