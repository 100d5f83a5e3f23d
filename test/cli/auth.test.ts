import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startService, type TestService } from "../helpers/service.ts";
import { cli } from "./cli.ts";

const TOKEN = "0123456789abcdef0123";
let service: TestService;

beforeAll(async () => {
  service = await startService({ env: { SIGNALMAN_TOKEN: TOKEN } });
});
afterAll(() => service[Symbol.asyncDispose]());

describe("a server with a token", () => {
  it("is reached with SIGNALMAN_TOKEN or --token", async () => {
    const byVariable = await cli(["list"], { server: service.url, env: { SIGNALMAN_TOKEN: TOKEN } });
    expect(byVariable).toMatchObject({ code: 0, stderr: "" });
    expect((await cli(["list", "--token", TOKEN], { server: service.url })).code).toBe(0);
  });

  it("refuses others, which ends with 2 at once", async () => {
    const without = await cli(["list"], { server: service.url });
    expect(without).toMatchObject({ code: 2, stderr: expect.stringContaining("(unauthenticated)") });
    expect((await cli(["list", "--token", "wrong"], { server: service.url })).code).toBe(2);
  });
});
