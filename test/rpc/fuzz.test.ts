import { randomInt } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createFuzzer, errorsOf } from "../fuzz/fuzz.ts";
import { tableOf } from "../fuzz/table.ts";
import { startService, type TestService } from "../support/service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

test("2,000 random requests to every RPC are answered with documented codes only", async () => {
  const seed = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
  console.log(`FUZZ_SEED=${seed}`);
  const fuzzer = await createFuzzer(service, { seed });
  await fuzzer.run(2000);
  const { findings, counts } = fuzzer.outcome;
  if (process.env.FUZZ_COUNTS) console.log(tableOf(counts));
  expect(findings).toEqual([]);
  expect(errorsOf(service)).toEqual([]);
});
