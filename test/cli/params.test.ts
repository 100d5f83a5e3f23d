import { Command } from "commander";
import { expect, test } from "vitest";
import { addParams, type ParamOptions, paramsOf } from "../../src/cli/input/params.ts";

const parse = (...args: string[]) =>
  paramsOf(addParams(new Command()).parse(args, { from: "user" }).opts<ParamOptions>());

test("there are no params unless options are given", () => {
  expect(parse()).toBeUndefined();
});

test("options of Ansible are lists, separated by commas or repeated", () => {
  expect(parse("--limit", "a,b", "--limit", "c", "--verbosity", "0", "--check")).toEqual({
    case: "ansible",
    value: { limit: ["a", "b", "c"], verbosity: 0, check: true },
  });
});

test("options of Terraform are switches", () => {
  expect(parse("--plan-only", "--destroy")).toEqual({
    case: "terraform",
    value: { planOnly: true, destroy: true },
  });
});

test("options of two apps together are refused", () => {
  expect(() => parse("--check", "--destroy")).toThrow("cannot be combined");
});
