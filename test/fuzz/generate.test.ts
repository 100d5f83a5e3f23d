import { toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { readContract } from "../rpc/rules/contract.ts";
import { createGenerator } from "./generate.ts";
import { createHarvest } from "./harvest.ts";
import { createRandom, seedOf } from "./random.ts";

test("a request depends on its seed and number only", () => {
  const { methods, commentOf } = readContract();
  const requests = (numbers: number[]) => {
    const generate = createGenerator({ harvest: createHarvest(), commentOf, repository: "/nonexistent" });
    const made = numbers.map((number) => {
      const random = createRandom(seedOf(7, number));
      const method = random.pick(methods);
      const bytes = Buffer.from(toBinary(method.input, generate(method, random)));
      return [number, `${method.name} ${bytes.toString("base64")}`] as const;
    });
    return new Map(made.sort(([a], [b]) => a - b));
  };
  const numbers = Array.from({ length: 500 }, (_, number) => number);
  const forth = requests(numbers);
  expect(requests(numbers.toReversed())).toEqual(forth);
  expect(new Set(forth.values()).size).toBeGreaterThan(200);
});
