import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startService, type TestService } from "../support/service.ts";
import { cli } from "./cli.ts";

const TOKEN = "0123456789abcdef0123";
const TASK = "demo/0192f0c1-0000-7000-8000-000000000001";
let service: TestService;

beforeAll(async () => {
  service = await startService({ env: { SIGNALMAN_TOKEN: TOKEN } });
});
afterAll(() => service[Symbol.asyncDispose]());

describe("a server with a token", () => {
  test("is reached with SIGNALMAN_TOKEN or --token", async () => {
    const byVariable = await cli(["list"], { server: service.url, env: { SIGNALMAN_TOKEN: TOKEN } });
    expect(byVariable).toMatchObject({ code: 0, stderr: "" });
    expect((await cli(["list", "--token", TOKEN], { server: service.url })).code).toBe(0);
  });

  test.each([
    ["apply", "-"],
    ["export", "demo"],
    ["run", "demo/hello"],
    ["watch", TASK],
    ["kill", TASK],
    ["kill", "--template", "demo/hello"],
    ["delete", TASK],
    ["get", TASK],
    ["list"],
    ["list", "--follow"],
    ["logs", TASK],
    ["plan", TASK],
    ["confirm", TASK, "--yes"],
    ["reject", TASK],
    ["apps"],
  ])("refuses others, which ends with 2 at once: %s %s", async (...args) => {
    const call = args.filter(Boolean);
    const input = "project: { name: demo }\n";
    const without = await cli(call, { server: service.url, input });
    expect(without).toMatchObject({ code: 2, stdout: "" });
    expect(without.stderr).toMatch(
      /is missing; send it with a token of this server or of an account \(unauthenticated\)\n.*set SIGNALMAN_TOKEN to/,
    );
    const wrong = await cli([...call, "--token", "wrong"], { server: service.url, input });
    expect(wrong).toMatchObject({ code: 2, stdout: "" });
    expect(wrong.stderr).toContain("The bearer token is not the token of this server; compare it with");
  });
});
