import { expect, test } from "vitest";
import { maskOutputs, parseExactly } from "../../../src/jobs/families/outputs.ts";

const mask = (text: string) => text.replaceAll("secret", "***");

test("integers that a double cannot hold exactly become strings, others stay numbers", () => {
  expect(parseExactly("[9007199254740991, 9007199254740993, -12345678901234567890, 1.5, 1e3]")).toEqual([
    9007199254740991,
    "9007199254740993",
    "-12345678901234567890",
    1.5,
    1000,
  ]);
});

test("strings and names are masked at any depth; values nested too deep for protobuf become JSON text", () => {
  expect(maskOutputs({ a_secret: ["secret", { "my secret": 1 }] }, mask)).toEqual({
    "a_***": ["***", { "my ***": 1 }],
  });
  let deep: unknown = "secret";
  for (let level = 0; level < 500; level++) deep = [deep];
  const text = JSON.stringify(maskOutputs({ deep }, mask));
  expect(text).toMatch(/^\{"deep":\[{20}"\[+\\"\*\*\*\\"\]+"\]{20}\}$/);
});

test("empty outputs and outputs above the size limit are undefined", () => {
  expect(maskOutputs({}, mask)).toBeUndefined();
  expect(maskOutputs({ big: "x".repeat(1024 * 1024) }, mask)).toBeUndefined();
});
