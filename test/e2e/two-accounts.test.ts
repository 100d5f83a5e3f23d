import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AccountService, Role } from "../../gen/signalman/v1/account_pb.ts";
import { AuditService } from "../../gen/signalman/v1/audit_pb.ts";
import { RoleBindingService } from "../../gen/signalman/v1/role_binding_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { TokenService } from "../../gen/signalman/v1/token_pb.ts";
import { refusal } from "../rpc/support.ts";
import { applyDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";

/* Two servers of one database, and two services with an account each: one may run a template, the other only watch it. */

let servers: TestService[];
let tokens: { deployer: string; dashboard: string; builder: string };
const ROOT = "root-token-of-the-test";

function withToken(server: TestService, token: string) {
  const transport = createGrpcTransport({
    baseUrl: server.url,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
  return <S extends DescService>(service: S): Client<S> => createClient(service, transport);
}

const root = (at = 0) => withToken(servers[at] as TestService, ROOT);

beforeAll(async () => {
  const env = { SIGNALMAN_TOKEN: ROOT };
  const first = await startService({ env });
  servers = [first, await startService({ env, databaseUrl: first.databaseUrl })];
  await applyDemo(
    { dataDir: first.dataDir, client: root() },
    {
      deploy: "echo deployed",
      other: "echo other",
      build: { script: "true", type: 2, startVersion: "1" },
      install: { script: "true", type: 3, buildTemplate: "build", autorun: true },
    },
  );
  const make = async (accountId: string, role: Role, template = "deploy") => {
    await root()(AccountService).createAccount({ accountId, account: {} });
    await root()(RoleBindingService).createRoleBinding({
      parent: "projects/demo",
      roleBindingId: accountId,
      roleBinding: {
        account: `accounts/${accountId}`,
        roles: [role],
        template: `projects/demo/templates/${template}`,
      },
    });
    return (await root()(TokenService).createToken({ parent: `accounts/${accountId}`, tokenId: "main" }))
      .text;
  };
  tokens = {
    deployer: await make("deployer", Role.RUNNER),
    dashboard: await make("dashboard", Role.VIEWER),
    builder: await make("builder", Role.RUNNER, "build"),
  };
});
afterAll(async () => {
  for (const server of servers.toReversed()) await server[Symbol.asyncDispose]();
});

test("a service runs the one template that it may run, and another one watches it on another server", async () => {
  const deployer = withToken(servers[0] as TestService, tokens.deployer)(TaskService);
  const dashboard = withToken(servers[1] as TestService, tokens.dashboard)(TaskService);
  const template = "projects/demo/templates/deploy";
  expect(await refusal(deployer.runTask({ template: "projects/demo/templates/other" }))).toMatchObject({
    code: "NotFound",
  });
  expect(await refusal(dashboard.runTask({ template }))).toMatchObject({ code: "PermissionDenied" });
  const { task } = await deployer.runTask({ template });
  expect(task?.createdBy).toBe("accounts/deployer");
  const events = await Array.fromAsync(dashboard.watchTask({ name: task?.name }));
  expect(events.at(-1)?.event.case).toBe("end");
  const { task: other } = await root()(TaskService).runTask({ template: "projects/demo/templates/other" });
  for (const client of [deployer, dashboard]) {
    expect(await refusal(client.watchTask({ name: other?.name }))).toMatchObject({ code: "NotFound" });
    const { tasks } = await client.listTasks({ parent: "projects/-" });
    expect(tasks.map(({ template: of }) => of)).toEqual([template]);
  }
});

test("a build starts the deploys that its account may run, and its log names the others", async () => {
  const builder = withToken(servers[0] as TestService, tokens.builder)(TaskService);
  const { task } = await builder.runTask({ template: "projects/demo/templates/build" });
  const lines: string[] = [];
  for await (const { event } of builder.watchTask({ name: task?.name }))
    if (event.case === "log")
      lines.push(...event.value.lines.map(({ content }) => Buffer.from(content).toString()));
  expect(lines.join("\n")).toContain(
    "Cannot run projects/demo/templates/install after this task: accounts/builder may not run it",
  );
  const installs = async () =>
    (await root()(TaskService).listTasks({ parent: "projects/demo", filter: "template = install" })).tasks;
  expect(await installs()).toEqual([]);
  const { task: again } = await root()(TaskService).runTask({ template: "projects/demo/templates/build" });
  await Array.fromAsync(root()(TaskService).watchTask({ name: again?.name }));
  expect((await installs()).map(({ createdBy }) => createdBy)).toEqual(["root"]);
  const { events } = await root()(AuditService).listAuditEvents({ filter: "method = autorun" });
  expect(events).toMatchObject([
    { caller: "root", address: "", template: "projects/demo/templates/install" },
  ]);
});

test("a revoked token ends its streams on both servers, and a lost right too", async () => {
  const open = async (token: string, at: number) => {
    const client = withToken(servers[at] as TestService, token)(TaskService);
    const stream = client.watchTasks({ parent: "projects/demo" })[Symbol.asyncIterator]();
    await stream.next();
    return async () => {
      while (!(await stream.next()).done);
    };
  };
  const deployer = await Promise.all([open(tokens.deployer, 0), open(tokens.deployer, 1)]);
  const dashboard = await Promise.all([open(tokens.dashboard, 0), open(tokens.dashboard, 1)]);
  const ends = [...deployer, ...dashboard].map((readOn) => refusal(readOn()));
  await root(1)(TokenService).revokeToken({ name: "accounts/deployer/tokens/main" });
  await root(0)(RoleBindingService).deleteRoleBinding({ name: "projects/demo/roleBindings/dashboard" });
  const codes = (await Promise.all(ends)).map(({ code }) => code);
  expect(codes).toEqual(["Unauthenticated", "Unauthenticated", "PermissionDenied", "PermissionDenied"]);
  for (const server of servers) {
    const tasks = withToken(server, tokens.deployer)(TaskService);
    await expect
      .poll(() => refusal(tasks.listTasks({ parent: "projects/-" })).catch(() => "passes"))
      .toMatchObject({ reason: "TOKEN_WRONG" });
  }
});
