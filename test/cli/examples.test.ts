import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startService, type TestService } from "../support/service.ts";
import { cli, startProgram } from "./cli.ts";

const at = (path: string) => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));

let service: TestService;

beforeAll(async () => {
  service = await startService();
  expect(await cli(["apply", at("quickstart/catalog.yaml")], { server: service.url })).toMatchObject({
    code: 0,
  });
});
afterAll(() => service[Symbol.asyncDispose]());

describe.each(["watch.ts", "watch-grpc.mjs"])("examples/%s", (name) => {
  test("runs a template and prints its lines", async () => {
    const run = startProgram([process.execPath, at(name), "demo/hello"], {
      server: new URL(service.url).host,
    });
    expect(await run.ended).toBe(0);
    expect(run.stderr).toBe("");
    expect(run.stdout.toString()).toContain("Hello, world!");
    expect(run.stdout.toString()).toMatch(/exit code 0\n$/);
  });
});

test("examples/watch.ts has no more than 15 lines of code", async () => {
  const lines = (await readFile(at("watch.ts"), "utf8")).split("\n");
  const code = lines.filter((line) => line.trim() !== "" && !line.startsWith("//"));
  expect(code.length).toBeLessThanOrEqual(15);
});
