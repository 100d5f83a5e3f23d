import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startService, type TestService } from "../support/service.ts";
import { cli } from "./cli.ts";

const catalog = fileURLToPath(new URL("../../examples/scripts/catalog.yaml", import.meta.url));

function isInstalled(program: string): boolean {
  return spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0;
}

let service: TestService;
beforeAll(async () => {
  service = await startService();
  expect(await cli(["apply", catalog], { server: service.url })).toMatchObject({ code: 0 });
});
afterAll(() => service[Symbol.asyncDispose]());

describe("examples/scripts", () => {
  test.for([
    ["python", "python3"],
    ["powershell", "pwsh"],
  ])("runs its template in %s with the survey's answer", async ([template = "", program = ""], { skip }) => {
    if (!isInstalled(program)) skip(`there is no ${program} in PATH`);
    const result = await cli(["run", `scripts/${template}`, "-e", "days=3"], { server: service.url });
    expect(result).toMatchObject({ code: 0 });
    expect(result.stdout).toMatch(/^day 1: \d{4}-\d\d-\d\d\n(day \d: .*\n){2}$/m);
  });
});
