import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { cli } from "./cli.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService();
  await applyDemo(service, { hello: "echo hello" });
});
afterAll(() => service[Symbol.asyncDispose]());

const run = (...args: string[]) => cli(args, { server: service.url });

describe("accounts and tokens", () => {
  test("are created, listed, used, revoked and deleted", async () => {
    const made = await run("account", "create", "ci", "--role", "viewer", "--description", "Builds");
    expect(made).toMatchObject({ code: 0, stderr: "" });
    expect(made.stdout).toContain("signalman token create ci/TOKEN");
    const { stdout: text, stderr } = await run("token", "create", "ci/laptop", "--expires", "12h");
    expect(text).toMatch(/^sgm_[\w-]{43}\n$/);
    expect(stderr).toMatch(/^signalman: ci\/laptop expires \S+ \S+; its text cannot be shown again\n$/);
    const env = { SIGNALMAN_TOKEN: text.trim() };
    const { stdout: listed } = await cli(["list"], { server: service.url, env });
    expect(listed).toContain("TASK");
    const refused = await cli(["run", "demo/hello"], { server: service.url, env });
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toContain("accounts/ci may not call RunTask: it needs tasks.run on projects/demo");

    expect((await run("account", "list")).stdout).toMatch(/ACCOUNT +ROLES +DESCRIPTION\nci +viewer +Builds/);
    expect((await run("token", "list", "ci")).stdout).toMatch(/ci\/laptop +valid /);
    expect(await run("token", "revoke", "ci/laptop")).toMatchObject({ stdout: "ci/laptop revoked\n" });
    await expect
      .poll(async () => (await cli(["list"], { server: service.url, env })).stderr)
      .toContain("unknown, revoked or expired");
    expect(await run("account", "delete", "ci")).toMatchObject({ stdout: "accounts/ci deleted\n" });
    expect((await run("account", "list")).stdout).not.toContain("ci ");
  });

  test("are shown by the audit events, also as JSON lines", async () => {
    const { stdout } = await run("audit", "--limit", "1000");
    expect(stdout).toMatch(/^TIME \(UTC\) +CALLER +ADDRESS +METHOD +OUTCOME +RESOURCE \(FIELDS\)\n/);
    expect(stdout).toMatch(
      / accounts\/ci +127\.0\.0\.1:\d+ +TaskService\/RunTask +PERMISSION_DENIED +projects\/demo\/templates\/hello/,
    );
    const { stdout: json } = await run(
      "audit",
      "--json",
      "--filter",
      "method = AccountService/CreateAccount",
    );
    expect(
      json
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      {
        resource: "accounts/ci",
        outcome: "OK",
        fields: ["account_id", "account.description", "account.roles"],
      },
    ]);
  });

  test("are refused with an unknown role", async () => {
    const { code, stderr } = await run("account", "create", "x", "--role", "king");
    expect(code).toBe(2);
    expect(stderr).toContain("viewer, runner, operator, editor, admin");
  });
});
