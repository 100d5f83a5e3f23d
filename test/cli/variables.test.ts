import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collectVariables, readVariables, type VariableInput } from "../../src/cli/input/variables.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "signalman-variables-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(text: string | Buffer): Promise<string> {
  const path = join(folder, "vars.yaml");
  await writeFile(path, text);
  return path;
}

/** Variables that several `-e` result in. */
const read = (...texts: string[]) =>
  readVariables(texts.reduce<VariableInput[]>((before, text) => collectVariables(text, before), []));

/** Error message, without the folder. */
const complaint = async (text: string | Buffer) =>
  read(`@${await file(text)}`).then(
    () => "",
    (error: Error) => error.message.replaceAll(`${folder}/`, ""),
  );

describe("-e", () => {
  test("takes an object of variables from a file, in YAML or JSON", async () => {
    const yaml = await file("name: Ada\nversion: '1.10'\nlist: [1, {a: null}]\nflag: true\n");
    expect(await read(`@${yaml}`)).toEqual({
      name: "Ada",
      version: "1.10",
      list: [1, { a: null }],
      flag: true,
    });
    expect(await read(`@${await file("a: &a { b: 1, c: 2 }\nd: { <<: *a, c: 3 }\n")}`)).toEqual({
      a: { b: 1, c: 2 },
      d: { b: 1, c: 3 },
    });
    expect(await read(`@${await file('{"a": 1.5}')}`)).toEqual({ a: 1.5 });
    expect(await read(`@${await file("# nothing\n")}`)).toEqual({});
  });

  test("takes answers to questions of text as they are written, from arguments and files", async () => {
    const names = new Set(["n", "v", "flag", "none", "list", "big", "again"]);
    const readAs = (...texts: string[]) =>
      readVariables(
        texts.reduce<VariableInput[]>((before, text) => collectVariables(text, before), []),
        async () => names,
      );
    const typed = [
      "n=1234",
      "v=1.10",
      "flag=true",
      "none=null",
      'list={"a":  [1]}',
      "big=9007199254740993",
      "other=5",
    ];
    const written = {
      n: "1234",
      v: "1.10",
      flag: "true",
      none: "null",
      list: '{"a":  [1]}',
      big: "9007199254740993",
    };
    expect(await readAs(...typed)).toEqual({ ...written, other: 5 });
    const yaml =
      "n: 0123\nv: 1.10\nflag: true\nnone: null\nbig: 9007199254740993\nagain: &a 0x1F\nother: 0123\ncopy: *a\n";
    expect(await readAs(`@${await file(yaml)}`)).toEqual({
      ...{ n: "0123", v: "1.10", flag: "true", none: "null", big: "9007199254740993" },
      ...{ again: "0x1F", other: 123, copy: 31 },
    });
    expect(await readAs(`@${await file('{"n": 1234, "v": 1.10, "flag": false, "other": true}')}`)).toEqual({
      ...{ n: "1234", v: "1.10", flag: "false", other: true },
    });
  });

  test("does not ask for the names if all is text already", async () => {
    const ask = () => Promise.reject(new Error("asked"));
    const inputs = collectVariables("a=x", collectVariables("b=1.10"));
    expect(await readVariables(inputs, ask)).toEqual({ a: "x", b: "1.10" });
  });

  test("keeps whole numbers that lose digits as text, or refuses them by their place", async () => {
    expect(await read("a=9007199254740993", "b=9007199254740991")).toEqual({
      a: "9007199254740993",
      b: 9007199254740991,
    });
    await expect(read('a={"b": [1, 9007199254740993]}')).rejects.toThrow(
      /^-e a\.b\[1\]: whole numbers beyond .*as text/,
    );
    expect(await complaint("a: 1\nb:\n  c: [1, 9007199254740993]\n")).toMatch(
      /^vars\.yaml:3: b\.c\[1\]: whole numbers beyond/,
    );
    expect(await complaint('{"id": -12345678901234567890}')).toMatch(/^vars\.yaml:1: id: whole numbers/);
    const fine = await file(
      "a: 9007199254740991\nb: '9007199254740993'\nc: 0.12345678901234567890\nd: 1e300\n",
    );
    expect(await read(`@${fine}`)).toEqual({
      a: 9007199254740991,
      b: "9007199254740993",
      c: 0.12345678901234568,
      d: 1e300,
    });
  });

  test("takes keys as they are written, and refuses !env and !file", async () => {
    expect(await read(`@${await file("a: { 1.10: x, 12345678901234567890: y, no: z }\n")}`)).toEqual({
      a: { "1.10": "x", "12345678901234567890": "y", no: "z" },
    });
    expect(await complaint("a: !file /etc/hostname\nb: [!env PATH]\n")).toMatch(
      /^vars\.yaml:1: a: !file works in catalogs alone.*\nvars\.yaml:2: b\[0\]: !env works in catalogs alone/,
    );
  });

  test.each([
    ["a: !!binary aGk=", "a: JSON has no values with the tag !!binary; write it without"],
    ["a: [!!timestamp 2024-01-01]", "a[0]: JSON has no values with the tag !!timestamp; write it without"],
    ["a: !!set {x, y}", "a: JSON has no values with the tag !!set; write it without"],
    ["a: { b: !vault x }", "a.b: JSON has no values with the tag !vault; write it without"],
    ['a: "\\ud800"', "a: cannot be stored, since it has half a surrogate pair in it"],
  ])("refuses what JSON would change: %s", async (text, sentence) => {
    expect(await complaint(text)).toBe(`vars.yaml:1: ${sentence}`);
  });

  test("accepts YAML values with tags such as !!str, and any name", async () => {
    const path = await file("a: !!str 1\nb: !!int '2'\nc: !!map { d: !!seq [] }\n__proto__: x\n");
    expect(Object.entries(await read(`@${path}`, "__proto__=y"))).toEqual([
      ["a", "1"],
      ["b", 2],
      ["c", { d: [] }],
      ["__proto__", "y"],
    ]);
  });

  test("lets later variables override earlier ones", async () => {
    const path = await file("a: file\nb: file\n");
    expect(await read("a=1", `@${path}`, "b=2")).toEqual({ a: "file", b: 2 });
    expect(await read()).toEqual({});
  });

  test("names file and line of every error", async () => {
    expect(await complaint("a: 1\nb: [1\n")).toMatch(/^vars\.yaml:\d: /);
    expect(await complaint("- a\n- b\n")).toBe("vars.yaml:1: must be an object of variables, not a list");
    expect(await complaint("just text")).toBe('vars.yaml:1: must be an object of variables, not "just text"');
    expect(await complaint("a: 1\nb:\n  - .nan\n")).toBe("vars.yaml:3: b[0]: NaN is no number in JSON");
    expect(await complaint("a: 1\na: 2\n")).toMatch(/^vars\.yaml:2: /);
    expect(await complaint(Buffer.from([0xff]))).toMatch(/^cannot read vars\.yaml: /);
    await expect(read("@/nowhere/x.yaml")).rejects.toThrow(
      "cannot read /nowhere/x.yaml: there is no such file",
    );
  });
});
