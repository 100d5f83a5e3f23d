import { describe, expect, test } from "vitest";
import { Matcher } from "../../src/logs/matcher.ts";
import { patternsOf } from "../../src/logs/secret-patterns.ts";
import { endOf, joined, linesOf, memorySink, open, randomSource } from "./support.ts";

async function shown(text: string, secrets: string[], writes: number[] = []): Promise<string> {
  const sink = memorySink();
  const log = open(sink, { secrets });
  const bytes = Buffer.from(text);
  let from = 0;
  for (const to of [...writes, bytes.length]) {
    await log.write("stdout", bytes.subarray(from, to), from);
    from = to;
  }
  return joined(linesOf(await endOf(log, sink)), "stdout").toString();
}
const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("A secret is masked", () => {
  const secret = `Pa$$ w&rd/"é'1`;
  const forms: [string, string][] = [
    ["as it is", secret],
    ["in base64", base64(secret)],
    ["in base64 with the newline of echo", base64(`${secret}\n`)],
    ["in base64 without padding", base64(secret).replaceAll("=", "")],
    ["in base64 for URLs", Buffer.from(secret).toString("base64url")],
    ["in a URL", encodeURIComponent(secret)],
    ["in a form", new URLSearchParams({ x: secret }).toString().slice(2)],
    ["in JSON", JSON.stringify(secret).slice(1, -1)],
    ["in Python's JSON", JSON.stringify(secret).slice(1, -1).replace("é", "\\u00e9")],
    ["in Go's JSON", JSON.stringify(secret).slice(1, -1).replace("&", "\\u0026")],
    ["in JSON within JSON", JSON.stringify(JSON.stringify(secret)).slice(3, -3)],
    [
      "in Python's JSON within JSON",
      JSON.stringify(JSON.stringify(secret).replace("é", "\\u00e9")).slice(3, -3),
    ],
    ["in a shell's trace", secret.replace("'", `'\\''`)],
  ];
  test.each(forms)("%s", async (_, form) => {
    expect(await shown(`<<${form}>>\n`, [secret])).toBe("<<***>>\n");
  });

  test.each(["", "u", "us", "use", "user:"])("in base64 behind %j, except its edges", async (before) => {
    const code = base64(`${before}${secret}:and more`);
    const visible = await shown(`${code}\n`, [secret]);
    expect(visible).toContain("***");
    const left = visible.split("***").map((part) => Buffer.from(part, "base64").toString());
    expect(left.join("")).not.toMatch(/w&rd|Pa\$|\$ /);
  });

  test("in base64 of many lines, as base64 and openssl break them", async () => {
    const key = Array.from({ length: 20 }, (_, i) => `line number ${i} of this key`).join("\n");
    for (const width of [64, 76]) {
      const code = base64(`${key}\n`).replace(new RegExp(`.{${width}}`, "g"), "$&\n");
      const visible = await shown(`${code}\n`, [key]);
      expect(visible.replaceAll("***", "").trim().length).toBeLessThan(8);
    }
  });
});

test("a secret of several lines is masked as a whole, and each of its longer lines", async () => {
  const secret = "-----BEGIN-----\nabcdefgh\r\nxy\n-----END-----\n";
  expect(await shown(`[${secret}]`, [secret])).toBe("[***\n]");
  expect(await shown("a\n  abcdefgh\nxy\n", [secret])).toBe("a\n  ***\nxy\n");
});

test("a secret whose lines are all masked by themselves holds back no line that begins like its first", async () => {
  const secret = '{\n  "user": "me",\n  "password": "hunter2"\n}\n';
  const sink = memorySink();
  const log = open(sink, { secrets: [secret] });
  await log.write("stdout", Buffer.from("resource {\n"), 0);
  await new Promise(setImmediate);
  expect(linesOf(sink.chunks).map((line) => line.content.toString())).toEqual(["resource {"]);
  expect(await shown(secret, [secret])).toBe("{\n  ***\n  ***\n}\n");
  expect(await shown(JSON.stringify(secret), [secret])).toBe('"***\\n"');
});

test("overlapping and nested secrets are masked as one", async () => {
  expect(await shown("1abcdef2\n", ["abcd", "cdef"])).toBe("1***2\n");
  expect(await shown("1abcdefgh2 cdef ab\n", ["abcdefgh", "cdef"])).toBe("1***2 *** ab\n");
  expect(await shown("abaabaaba!\n", ["abaaba"])).toBe("***!\n");
  expect(await shown("abcdabcd\n", ["abcd"])).toBe("******\n");
});

test("of several secrets with the same beginning the longest is masked, wherever the writes are cut", async () => {
  for (let cut = 0; cut <= 14; cut++) {
    const visible = await shown("1abcd2abcdef3\n", ["abcd", "abcdef"], [cut]);
    expect(visible).toBe("1***2***3\n");
  }
});

test("a chain of overlapping occurrences of any length is masked, in bounded pieces", async () => {
  const text = `<${"a".repeat(300_000)}>\n`;
  expect((await shown(text, ["aaaa"], [1, 2, 70_000, 70_001])).replaceAll("***", "")).toBe("<>\n");
});

test("a long secret is masked as one, wherever the writes are cut, and so is a long part of it", async () => {
  const random = randomSource(3);
  for (const length of [255, 256, 257, 511, 512, 700, 3000]) {
    const secret = Array.from({ length }, () => "0123456789"[random(10)]).join("");
    const cut = random(length);
    expect(await shown(`<${secret}>\n`, [secret], [cut])).toBe("<***>\n");
    expect(await shown(`${secret.slice(0, -1)}\n`, [secret], [cut])).not.toContain(secret.slice(0, 256));
  }
});

test("a secret of fewer than 4 characters is not masked, since that would spoil the log and reveal it", async () => {
  expect(await shown("a b\n", ["", " ", "\n"])).toBe("a b\n");
  expect(await shown("yes, 123 eHl6 MTIz\n", ["y", "1", " 12\n", "123"])).toBe("yes, 123 eHl6 MTIz\n");
  expect(await shown("pin 1234\n", ["1234"])).toBe("pin ***\n");
});

test("secrets that are added later are masked from then on, also in the unfinished line", async () => {
  const sink = memorySink();
  const log = open(sink, { secrets: ["first"] });
  await log.write("stdout", Buffer.from("second\nfirst sec"), 0);
  log.addSecrets(["second"]);
  log.say("second");
  await log.write("stdout", Buffer.from("ond first\n"), 16);
  const lines = linesOf(await endOf(log, sink));
  expect(lines.map((line) => line.content.toString())).toEqual(["second", "***", "*** *** ***"]);
});

test("the matcher finds the same occurrences as a plain search", () => {
  const random = randomSource(7);
  for (let round = 0; round < 3000; round++) {
    const letters = 1 + random(4);
    const text = (length: number) => Buffer.from(Array.from({ length }, () => 97 + random(letters)));
    const patterns = Array.from({ length: 1 + random(5) }, () => text(1 + random(6)));
    const bytes = text(random(60));
    const from = random(bytes.length + 1);
    const matcher = new Matcher(patterns);
    const start = matcher.find(bytes, from, bytes.length);
    const starts = patterns.map((pattern) => bytes.indexOf(pattern, from)).filter((at) => at >= 0);
    expect(start).toBe(starts.length === 0 ? -1 : Math.min(...starts));
    const here = patterns.filter((pattern) => bytes.indexOf(pattern, start) === start);
    if (start >= 0) expect(matcher.found).toBe(Math.max(...here.map((pattern) => pattern.length)));
  }
});

test("no pattern is empty or repeated", () => {
  const patterns = patternsOf("a\n\nlonger line\n'quoted' & \"double\"\n\n").map(String);
  expect(patterns).not.toContain("");
  expect(new Set(patterns).size).toBe(patterns.length);
});
