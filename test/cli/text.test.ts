import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { Document, parse } from "yaml";
import { TaskSchema, TaskStatus } from "../../gen/signalman/v1/task_pb.ts";
import { parsePath, pathText } from "../../src/cli/catalog/path.ts";
import { parseTask, parseTemplate, shortName } from "../../src/cli/input/names.ts";
import { parseVariable } from "../../src/cli/input/values.ts";
import { stringify } from "../../src/cli/terminal/json.ts";
import { harmless, printable } from "../../src/cli/terminal/printable.ts";
import { table } from "../../src/cli/terminal/table.ts";
import { clock, duration, rough } from "../../src/cli/terminal/time.ts";
import { cut, width } from "../../src/cli/terminal/width.ts";
import { yamlText } from "../../src/cli/terminal/yaml.ts";
import { boardLines } from "../../src/cli/view/board.ts";
import { trackCursor } from "../../src/cli/view/cursor.ts";
import { serverUrl } from "../../src/client/server-url.ts";

const UUID = "0192f0c1-0000-7000-8000-00000000000a";

describe("variables of -e", () => {
  test.each([
    ["2", 2],
    ["-0.5", -0.5],
    ["true", true],
    ["null", null],
    ['{"a":[1]}', { a: [1] }],
    ["text", "text"],
    ["", ""],
    ['"quoted"', '"quoted"'],
    ["1.10", "1.10"],
    ["007", "007"],
    ["1e3", "1e3"],
    ["12345678901234567890", "12345678901234567890"],
    ["{broken", "{broken"],
  ])("%s", (text, value) => expect(parseVariable(text)).toEqual(value));
});

describe("names", () => {
  test("are taken in full and short", () => {
    expect(parseTask(`demo/${UUID.toUpperCase()}`)).toBe(`projects/demo/tasks/${UUID}`);
    expect(parseTask(`projects/demo/tasks/${UUID}`)).toBe(`projects/demo/tasks/${UUID}`);
    expect(parseTemplate("demo/hello")).toBe("projects/demo/templates/hello");
    expect(shortName("projects/demo/templates/hello")).toBe("demo/hello");
  });
  test.each(["", "/", "demo", "demo/", "a/b/c", "projects/demo/tasks/hello"])("%j is no template", (text) => {
    expect(() => parseTemplate(text)).toThrow("PROJECT/TEMPLATE");
  });
});

describe("servers", () => {
  test.each([
    ["localhost", "http://localhost:8480"],
    ["10.0.0.1:80", "http://10.0.0.1"],
    ["[::1]:9000", "http://[::1]:9000"],
    ["[::1]", "http://[::1]:8480"],
    ["http://host:1/", "http://host:1"],
    ["https://host", "https://host"],
  ])("%s", (text, url) => expect(serverUrl(text)).toBe(url));
  test.each(["", "ftp://host", "host:port", "http://host/path", "http://user@host"])("%j is none", (text) => {
    expect(() => serverUrl(text)).toThrow(/^server must be HOST:PORT/);
  });
});

describe("times", () => {
  test("as a clock, roughly, and to the tenth", () => {
    expect([0, 7000, 725_000, 3_723_000].map(clock)).toEqual(["0:00", "0:07", "12:05", "1:02:03"]);
    expect([0, 59_999, 60_000, 7_200_000, 1e9].map(rough)).toEqual(["0s", "59s", "1m", "2h", "11d"]);
    expect([350, 59_900, 61_000].map(duration)).toEqual(["0.3 s", "59.9 s", "1:01"]);
  });
});

describe("widths", () => {
  test("are those of a terminal", () => {
    expect(["abc", "äö", "e\u0301", "日本", "👩‍👩‍👧", ""].map(width)).toEqual([3, 2, 1, 4, 2, 0]);
    expect([cut("abcdef", 4), cut("日本語", 4), cut("abc", 3), cut("abc", 0)]).toEqual([
      "abc…",
      "日…",
      "abc",
      "",
    ]);
  });

  test("a table is aligned, and cut or left without its last column where there is no room", () => {
    const rows = [
      ["日本", "long text here"],
      ["b", ""],
    ];
    expect(table(["A", "TEXT"], rows)).toEqual(["A     TEXT", "日本  long text here", "b"]);
    expect(table(["A", "TEXT"], rows, { width: 16 })).toEqual(["A     TEXT", "日本  long text…", "b"]);
    expect(table(["A", "TEXT"], rows, { width: 10 })).toEqual(["A", "日本", "b"]);
  });
});

describe("untrusted text", () => {
  test("cannot control the terminal", () => {
    expect(printable("a\x1b[2J\r\nb\tc\x9b\u202e")).toBe("a\ufffd[2J b c\ufffd\ufffd");
  });
});

describe("results", () => {
  const value = { name: "a\u009b31m\x1b[2J\u202eb", "k\u0085": ["plain", 7], lines: "x\ny\n" };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: matches control characters
  const PLAYING = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/;

  test("as JSON and YAML cannot control the terminal, and read back as the same values", () => {
    const json = stringify(value);
    const yaml = yamlText(new Document(value));
    for (const text of [json, yaml]) expect(text).not.toMatch(PLAYING);
    expect(JSON.parse(json)).toEqual(value);
    expect(parse(yaml)).toEqual(value);
    expect(yamlText(new Document({ a: "plain" }))).toBe("a: plain\n");
  });

  test("as lines keep only colors", () => {
    expect(harmless("\x1b[31mred\x1b[39m \x1b[2Jx\u009b\ty")).toBe("\x1b[31mred\x1b[39m \ufffd[2Jx\ufffd\ty");
  });
});

describe("paths in a catalog", () => {
  test("are written and read in the contract's way", () => {
    const path = ["templates", 2, "env", 'a."b'];
    expect(pathText(path)).toBe('templates[2].env["a.\\"b"]');
    expect(parsePath(pathText(path))).toEqual(path);
  });
});

describe("where output leaves the cursor", () => {
  const after = (...parts: (string | number[])[]) => {
    const cursor = trackCursor();
    for (const part of parts) cursor.wrote(Buffer.from(part as string));
    return cursor.place;
  };
  test.each([
    [["line\n"], "line-start"],
    [["text"], "within-line"],
    [["text\x1b[31m"], "within-line"],
    [["text\x1b"], "within-sequence"],
    [["text\x1b[3"], "within-sequence"],
    [["text\x1b[3", "1"], "within-sequence"],
    [["text\x1b[3", "1", "m"], "within-line"],
    [["\x1b]0;title"], "within-sequence"],
    [["\x1b]0;title\x07"], "within-line"],
    [[[0xc3]], "within-sequence"],
    [[[0xc3], [0xa4]], "within-line"],
    [[[0xf0, 0x9f]], "within-sequence"],
    [[[0xff]], "within-sequence"],
    [[[0x80]], "within-line"],
  ] as const)("%j: %s", (parts, place) => expect(after(...(parts as unknown as never[]))).toBe(place));
});

describe("the board", () => {
  test("shows running tasks by age, then waiting tasks in the queue's order", () => {
    const task = (id: number, status: TaskStatus, priority = 50) =>
      create(TaskSchema, {
        name: `projects/p/tasks/${id}`,
        template: "projects/p/templates/t",
        status,
        priority,
      });
    const lines = boardLines(
      [
        task(1, TaskStatus.WAITING, 10),
        task(2, TaskStatus.RUNNING, 1),
        task(3, TaskStatus.WAITING),
        task(4, TaskStatus.WAITING, 90),
        task(5, TaskStatus.RUNNING, 99),
        task(6, TaskStatus.WAITING),
      ],
      100,
      20,
    );
    expect(lines.slice(1).map((line) => line.split(" ")[0])).toEqual([
      "p/2",
      "p/5",
      "p/4",
      "p/3",
      "p/6",
      "p/1",
    ]);
  });
});
