import { randomInt } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createFuzzer, errorsOf } from "../fuzz/fuzz.ts";
import { startService, type TestService } from "../helpers/service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

it("2,000 random requests to every RPC are answered with documented codes only", async () => {
  const seed = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
  console.log(`FUZZ_SEED=${seed}`);
  const fuzzer = await createFuzzer(service, seed);
  const { findings, counts } = await fuzzer.run(2000);
  if (process.env.FUZZ_COUNTS)
    console.log(
      [...counts]
        .sort()
        .map((entry) => entry.join(" "))
        .join("\n"),
    );
  expect(findings).toEqual([]);
  expect(errorsOf(service)).toEqual([]);
});
