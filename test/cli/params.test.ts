import { Command } from "commander";
import { expect, it } from "vitest";
import { addParams, type ParamOptions, paramsOf } from "../../src/cli/input/params.ts";

const parse = (...args: string[]) =>
  paramsOf(addParams(new Command()).parse(args, { from: "user" }).opts<ParamOptions>());

it("are none unless given", () => {
  expect(parse()).toBeUndefined();
});

it("of Ansible are lists by commas or by repeating", () => {
  expect(parse("--limit", "a,b", "--limit", "c", "--verbosity", "0", "--check")).toEqual({
    case: "ansible",
    value: { limit: ["a", "b", "c"], verbosity: 0, check: true },
  });
});

it("of Terraform are switches", () => {
  expect(parse("--plan-only", "--destroy")).toEqual({
    case: "terraform",
    value: { planOnly: true, destroy: true },
  });
});

it("of two apps do not go together", () => {
  expect(() => parse("--check", "--destroy")).toThrow("cannot be combined");
});
