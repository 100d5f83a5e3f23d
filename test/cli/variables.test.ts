import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
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

/** What `-e` makes of these, one after the other. */
const read = (...texts: string[]) =>
  readVariables(texts.reduce<VariableInput[]>((before, text) => collectVariables(text, before), []));

/** The sentence, without the folder. */
const complaint = async (text: string | Buffer) =>
  read(`@${await file(text)}`).then(
    () => "",
    (error: Error) => error.message.replaceAll(`${folder}/`, ""),
  );

describe("-e", () => {
  it("takes an object of variables from a file, in YAML or JSON", async () => {
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

  it("lets later ones win, whatever they are", async () => {
    const path = await file("a: file\nb: file\n");
    expect(await read("a=1", `@${path}`, "b=2")).toEqual({ a: "file", b: 2 });
    expect(await read()).toEqual({});
  });

  it("names file and line of what is wrong", async () => {
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
