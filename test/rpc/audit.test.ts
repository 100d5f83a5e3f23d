import type { Client } from "@connectrpc/connect";
import type postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AccessKeyService } from "../../gen/signalman/v1/access_key_pb.ts";
import { AccountService, Role } from "../../gen/signalman/v1/account_pb.ts";
import { type AuditEvent, AuditService } from "../../gen/signalman/v1/audit_pb.ts";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { EnvironmentService } from "../../gen/signalman/v1/environment_pb.ts";
import { InventoryService } from "../../gen/signalman/v1/inventory_pb.ts";
import { NodeService } from "../../gen/signalman/v1/node_pb.ts";
import { ProjectService } from "../../gen/signalman/v1/project_pb.ts";
import { RepositoryService } from "../../gen/signalman/v1/repository_pb.ts";
import { RoleBindingService } from "../../gen/signalman/v1/role_binding_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../gen/signalman/v1/template_pb.ts";
import { TokenService } from "../../gen/signalman/v1/token_pb.ts";
import { isRead } from "../../src/rpc/permissions.ts";
import { forgetAuditEvents, setAuditRetention } from "../../src/store/audit.ts";
import { openDatabases } from "../../src/store/postgres/databases.ts";
import { ANONYMOUS, type Caller, ROOT } from "../../src/task/caller.ts";
import { type InMemoryApi, startApi } from "../support/in-memory.ts";
import { SERVICES } from "./roles/requests.ts";
import { everythingIn, openSql, refusal } from "./support.ts";

let api: InMemoryApi;
let sql: postgres.Sql;
beforeAll(async () => {
  api = await startApi();
  sql = openSql(api);
});
afterAll(async () => {
  await sql.end();
  await api[Symbol.asyncDispose]();
});

const P = "projects/p";
const NODE = "nodes/01a20a8f-a03f-4f1e-aba5-29fd1ad73196";
const R = `${P}/repositories/r`;
const T = `${P}/templates/t`;
const DIGEST = "d".repeat(64);
const SECRET = "a-secret-that-no-event-may-hold";

/** Runs a task and puts it into a status, owned by a node that is away. */
async function leftIn(status: "WAITING_CONFIRMATION" | "RUNNING"): Promise<string> {
  const { task } = await api.client(TaskService).runTask({ template: T });
  const [, , , id = ""] = task?.name.split("/") ?? [];
  const plan = sql.json({ digest: DIGEST, add: 0, change: 0, destroy: 0 });
  await sql`UPDATE tasks SET status = ${status}, plan = ${plan}, node = gen_random_uuid(),
    lease_expires = now() + interval '1 day' WHERE id = ${id}`;
  return task?.name ?? "";
}

type Work = [method: string, resource: string | RegExp, work: () => Promise<unknown>];

/** A call of every method that changes something, in an order in which all of them succeed. */
function changes(): Work[] {
  const client = <S extends Parameters<InMemoryApi["client"]>[0]>(service: S): Client<S> =>
    api.client(service);
  const tasks = client(TaskService);
  const TASK = new RegExp(`^${P}/tasks/`);
  let waiting = "";
  let parked: string[] = [];
  return [
    ["CreateProject", P, () => client(ProjectService).createProject({ projectId: "p", project: {} })],
    [
      "UpdateProject",
      P,
      () => client(ProjectService).updateProject({ project: { name: P, description: "x" } }),
    ],
    [
      "CreateAccount",
      "accounts/a",
      () => client(AccountService).createAccount({ accountId: "a", account: {} }),
    ],
    [
      "UpdateAccount",
      "accounts/a",
      () => client(AccountService).updateAccount({ account: { name: "accounts/a", roles: [Role.VIEWER] } }),
    ],
    [
      "CreateToken",
      "accounts/a/tokens/t",
      () => client(TokenService).createToken({ parent: "accounts/a", tokenId: "t" }),
    ],
    [
      "RevokeToken",
      "accounts/a/tokens/t",
      () => client(TokenService).revokeToken({ name: "accounts/a/tokens/t" }),
    ],
    [
      "CreateRepository",
      R,
      () =>
        client(RepositoryService).createRepository({
          parent: P,
          repositoryId: "r",
          repository: { url: "/" },
        }),
    ],
    [
      "UpdateRepository",
      R,
      () => client(RepositoryService).updateRepository({ repository: { name: R, description: "x" } }),
    ],
    [
      "CreateAccessKey",
      `${P}/accessKeys/k`,
      () =>
        client(AccessKeyService).createAccessKey({
          parent: P,
          accessKeyId: "k",
          accessKey: { kind: { case: "text", value: { value: SECRET } } },
        }),
    ],
    [
      "UpdateAccessKey",
      `${P}/accessKeys/k`,
      () =>
        client(AccessKeyService).updateAccessKey({
          accessKey: { name: `${P}/accessKeys/k`, kind: { case: "text", value: { value: `${SECRET}2` } } },
        }),
    ],
    [
      "DeleteAccessKey",
      `${P}/accessKeys/k`,
      () => client(AccessKeyService).deleteAccessKey({ name: `${P}/accessKeys/k` }),
    ],
    [
      "CreateInventory",
      `${P}/inventories/i`,
      () =>
        client(InventoryService).createInventory({
          parent: P,
          inventoryId: "i",
          inventory: { source: { case: "ini", value: "" } },
        }),
    ],
    [
      "UpdateInventory",
      `${P}/inventories/i`,
      () =>
        client(InventoryService).updateInventory({
          inventory: { name: `${P}/inventories/i`, description: "x" },
        }),
    ],
    [
      "DeleteInventory",
      `${P}/inventories/i`,
      () => client(InventoryService).deleteInventory({ name: `${P}/inventories/i` }),
    ],
    [
      "CreateEnvironment",
      `${P}/environments/e`,
      () => client(EnvironmentService).createEnvironment({ parent: P, environmentId: "e", environment: {} }),
    ],
    [
      "UpdateEnvironment",
      `${P}/environments/e`,
      () =>
        client(EnvironmentService).updateEnvironment({
          environment: { name: `${P}/environments/e`, secretEnv: { TOKEN: SECRET } },
        }),
    ],
    [
      "DeleteEnvironment",
      `${P}/environments/e`,
      () => client(EnvironmentService).deleteEnvironment({ name: `${P}/environments/e` }),
    ],
    [
      "CreateTemplate",
      T,
      () =>
        client(TemplateService).createTemplate({
          parent: P,
          templateId: "t",
          template: { app: "sh", repository: R, path: "x" },
        }),
    ],
    [
      "UpdateTemplate",
      T,
      () => client(TemplateService).updateTemplate({ template: { name: T, description: "x" } }),
    ],
    [
      "CreateRoleBinding",
      `${P}/roleBindings/b`,
      () =>
        client(RoleBindingService).createRoleBinding({
          parent: P,
          roleBindingId: "b",
          roleBinding: { account: "accounts/a", roles: [Role.VIEWER] },
        }),
    ],
    [
      "UpdateRoleBinding",
      `${P}/roleBindings/b`,
      () =>
        client(RoleBindingService).updateRoleBinding({
          roleBinding: { name: `${P}/roleBindings/b`, roles: [Role.RUNNER] },
        }),
    ],
    [
      "DeleteRoleBinding",
      `${P}/roleBindings/b`,
      () => client(RoleBindingService).deleteRoleBinding({ name: `${P}/roleBindings/b` }),
    ],
    [
      "RunTask",
      TASK,
      async () => {
        waiting = (await tasks.runTask({ template: T, message: "note" })).task?.name ?? "";
      },
    ],
    ["KillTask", TASK, () => tasks.killTask({ name: waiting })],
    [
      "AbandonTask",
      TASK,
      async () => {
        const { task } = await tasks.runTask({ template: T });
        const id = task?.name.split("/").at(-1) ?? "";
        await sql`UPDATE tasks SET status = 'RUNNING', node = ${NODE.slice(6)}, lease_expires = '2000-01-01' WHERE id = ${id}`;
        await tasks.abandonTask({ name: task?.name ?? "" });
      },
    ],
    ["DeleteTask", TASK, () => tasks.deleteTask({ name: waiting })],
    [
      "RunTask",
      TASK,
      async () => {
        parked = [await leftIn("WAITING_CONFIRMATION"), await leftIn("WAITING_CONFIRMATION")];
      },
    ],
    ["ConfirmTask", TASK, () => tasks.confirmTask({ name: parked[0] ?? "", planDigest: DIGEST })],
    ["RejectTask", TASK, () => tasks.rejectTask({ name: parked[1] ?? "" })],
    ["KillTasks", TASK, () => tasks.killTasks({ template: T })],
    [
      "DeleteTemplate",
      T,
      async () => {
        await sql`DELETE FROM tasks`;
        await client(TemplateService).deleteTemplate({ name: T });
      },
    ],
    [
      "ApplyCatalog",
      T,
      () =>
        client(CatalogService).applyCatalog({
          catalog: {
            project: { name: "p" },
            repositories: [{ name: "r", url: "/" }],
            templates: [{ name: "t", app: "sh", repository: "r", path: "x" }],
          },
        }),
    ],
    ["DeleteTemplate", T, () => client(TemplateService).deleteTemplate({ name: T })],
    ["DeleteRepository", R, () => client(RepositoryService).deleteRepository({ name: R })],
    ["DeleteProject", P, () => client(ProjectService).deleteProject({ name: P })],
    [
      "DrainNode",
      NODE,
      async () => {
        await sql`
          INSERT INTO nodes (id, host_name, address, version, roles, tags, slots, problem, start_time, heartbeat_time)
          VALUES (${NODE.slice(6)}, 'gone', '', '', '[]', '[]', 1, '', '2000-01-01', '2000-01-01')
          ON CONFLICT DO NOTHING`;
        await client(NodeService).drainNode({ name: NODE });
      },
    ],
    ["UndrainNode", NODE, () => client(NodeService).undrainNode({ name: NODE })],
    ["ForgetNode", NODE, () => client(NodeService).forgetNode({ name: NODE })],
    ["DeleteAccount", "accounts/a", () => client(AccountService).deleteAccount({ name: "accounts/a" })],
  ];
}

const newest = async (count = 1): Promise<AuditEvent[]> =>
  (await api.client(AuditService).listAuditEvents({ pageSize: count })).events;

describe("the audit event of a change", () => {
  test("is stored by every method that changes something, without secrets", async () => {
    const methods = new Set<string>();
    for (const [method, resource, work] of changes()) {
      await work();
      const events = await newest(3);
      const event = events.find((one) =>
        typeof resource === "string" ? one.resource === resource : resource.test(one.resource),
      );
      expect(event, method).toMatchObject({ caller: "anonymous", outcome: "OK", reason: "" });
      expect(event?.method.split("/")[1]).toBe(method);
      expect(event?.requestId).not.toBe("");
      methods.add(method);
    }
    const written = SERVICES.flatMap((service) => service.methods).filter((method) => !isRead(method));
    expect([...methods].sort()).toEqual(written.map(({ name }) => name).sort());
    const rows = await sql`SELECT audit_events::text AS row FROM audit_events`;
    expect(rows.map(({ row }) => row).join("\n")).not.toContain(SECRET);
  });

  test("names the changed fields", async () => {
    await api.client(CatalogService).applyCatalog({
      catalog: {
        project: { name: "p" },
        repositories: [{ name: "r", url: "/" }],
        environments: [{ name: "e", secretEnv: { TOKEN: SECRET } }],
        templates: [{ name: "t", app: "sh", repository: "r", path: "x" }],
      },
    });
    await api.client(TemplateService).updateTemplate({
      template: { name: T, description: "new", path: "y" },
      updateMask: { paths: ["description", "path"] },
    });
    expect((await newest())[0]).toMatchObject({ resource: T, fields: ["description", "path"] });
    await api.client(TaskService).runTask({ template: T, message: "hi", labels: { a: "b" } });
    expect((await newest())[0]).toMatchObject({ template: T, fields: ["template", "message", "labels"] });
  });

  test("is not stored if the change fails", async () => {
    const before = (await newest())[0]?.id;
    const requestId = "01a20a8f-a03f-7f1e-aba5-29fd1ad73196";
    const tasks = api.client(TaskService);
    await tasks.runTask({ template: T, validateOnly: true });
    await api
      .client(CatalogService)
      .applyCatalog({ catalog: { project: { name: "p" } }, validateOnly: true });
    expect((await newest())[0]?.id).toBe(before);
    const { task } = await tasks.runTask({ template: T, requestId });
    const after = (await newest())[0]?.id;
    await tasks.runTask({ template: T, requestId });
    await tasks.killTask({ name: task?.name });
    await tasks.killTask({ name: task?.name });
    expect((await newest(2)).map(({ method, id }) => [method, id === after])).toEqual([
      ["TaskService/KillTask", false],
      ["TaskService/RunTask", true],
    ]);
  });

  test("must be storable, or the change is rolled back", async () => {
    await sql`DELETE FROM tasks`;
    await api.client(TemplateService).deleteTemplate({ name: T });
    await api.client(CatalogService).applyCatalog({ catalog: { project: { name: "p" } }, prune: true });
    await api.client(ProjectService).deleteProject({ name: P });
    const digest = async () =>
      `${await everythingIn(sql)} ${JSON.stringify(await sql`SELECT a.name, a.revision FROM accounts a ORDER BY 1`)}
       ${JSON.stringify(await sql`SELECT name, revoke_time FROM tokens ORDER BY 1`)}
       ${JSON.stringify(await sql`SELECT status, kill_time FROM tasks ORDER BY id`)}
       ${JSON.stringify(await sql`SELECT name, revision FROM role_bindings ORDER BY 1`)}`;
    for (const [method, , work] of changes()) {
      await sql`ALTER TABLE audit_events ADD CONSTRAINT refuses CHECK (false) NOT VALID`;
      const before = await digest();
      expect(await refusal(work()), method).toMatchObject({ code: "Internal" });
      if (method !== "DeleteTemplate") expect(await digest(), method).toBe(before);
      await sql`ALTER TABLE audit_events DROP CONSTRAINT refuses`;
      await work();
    }
  });
});

describe("the audit event of a refusal", () => {
  const viewer: Caller = {
    kind: "account",
    name: "accounts/v",
    grants: [{ roles: ["VIEWER"], project: "p", template: null }],
  };

  test("names the account, the code, the reason and the requested resource", async () => {
    await api.client(ProjectService).createProject({ projectId: "p", project: {} });
    await refusal(api.as(viewer)(ProjectService).deleteProject({ name: P }));
    await refusal(api.as(viewer)(ProjectService).getProject({ name: "projects/hidden" }));
    await refusal(api.as(viewer)(TaskService).watchTasks({ parent: "projects/hidden" }));
    expect(
      (await newest(3)).map(({ caller, method, resource, outcome }) => [caller, method, resource, outcome]),
    ).toEqual([
      ["accounts/v", "TaskService/WatchTasks", "projects/hidden", "NOT_FOUND"],
      ["accounts/v", "ProjectService/GetProject", "projects/hidden", "NOT_FOUND"],
      ["accounts/v", "ProjectService/DeleteProject", P, "PERMISSION_DENIED"],
    ]);
  });

  test("is found by a filter, page by page", async () => {
    const audit = api.client(AuditService);
    const filter = `caller = accounts/v AND outcome != OK AND time > "2026-01-01T00:00:00Z"`;
    const first = await audit.listAuditEvents({ filter, pageSize: 2 });
    const second = await audit.listAuditEvents({ filter, pageSize: 2, pageToken: first.nextPageToken });
    expect([first.events.length, second.events.length, second.nextPageToken]).toEqual([2, 1, ""]);
    for (const bad of ["who = x", "time = now", "caller < x"])
      expect(await refusal(audit.listAuditEvents({ filter: bad }))).toMatchObject({ fields: ["filter"] });
  });

  test("is stored for wrong requests to change something, with the names of their fields", async () => {
    const root = api.as(ROOT);
    await root(CatalogService).applyCatalog({
      catalog: {
        project: { name: "p" },
        repositories: [{ name: "r", url: "/" }],
        templates: [{ name: "t", app: "sh", repository: "r", path: "x" }],
      },
    });
    const wrong: [call: () => Promise<unknown>, event: Partial<AuditEvent>][] = [
      [
        () => root(TaskService).runTask({ template: T, gitBranch: SECRET }),
        { resource: T, outcome: "INVALID_ARGUMENT", fields: ["template", "git_branch"] },
      ],
      [
        () =>
          root(AccessKeyService).createAccessKey({
            parent: P,
            accessKeyId: `Not a name, but ${SECRET}`,
            accessKey: { kind: { case: "text", value: { value: SECRET } } },
          }),
        { resource: P, outcome: "INVALID_ARGUMENT" },
      ],
      [
        () => root(ProjectService).deleteProject({ name: `${P}/${SECRET}` }),
        { resource: "", outcome: "INVALID_ARGUMENT" },
      ],
      [
        () => root(TemplateService).deleteTemplate({ name: `${P}/templates/none` }),
        { resource: `${P}/templates/none`, outcome: "NOT_FOUND", reason: "RESOURCE_NOT_FOUND" },
      ],
      [
        () => root(ProjectService).createProject({ projectId: "p", project: {} }),
        { resource: P, outcome: "ALREADY_EXISTS", fields: ["project_id"] },
      ],
      [
        () =>
          root(RepositoryService).updateRepository({
            repository: { name: R, description: SECRET, etag: "old" },
          }),
        { resource: R, outcome: "ABORTED", reason: "ETAG_MISMATCH" },
      ],
      [
        () => root(RepositoryService).deleteRepository({ name: R }),
        { resource: R, outcome: "FAILED_PRECONDITION", reason: "RESOURCE_IN_USE" },
      ],
    ];
    for (const [call, event] of wrong) {
      await refusal(call());
      expect((await newest())[0]).toMatchObject({ caller: "root", omittedCount: 0, ...event });
    }
    const rows = await sql`SELECT audit_events::text AS row FROM audit_events`;
    expect(rows.map(({ row }) => row).join("\n")).not.toContain(SECRET);
  });

  test("is not stored for wrong requests to read something", async () => {
    const before = (await newest())[0]?.id;
    const root = api.as(ROOT);
    await refusal(root(ProjectService).getProject({ name: "projects/none" }));
    await refusal(root(ProjectService).getProject({ name: "none" }));
    await refusal(root(TaskService).listTasks({ parent: P, filter: "?" }));
    expect((await newest())[0]?.id).toBe(before);
  });

  test("is stored for a part of a flood", async () => {
    const before = (await newest())[0]?.id;
    const flooding: Caller = { ...ROOT, kind: "account", name: "accounts/floods" };
    const tasks = api.as(flooding)(TaskService);
    for (let at = 0; at < 150; at++) await refusal(tasks.runTask({ template: "wrong" }));
    const { events } = await api
      .client(AuditService)
      .listAuditEvents({ filter: "caller = accounts/floods", pageSize: 1000 });
    expect(events.length).toBeGreaterThanOrEqual(100);
    expect(events.length).toBeLessThan(150);
    expect(events[0]?.id).not.toBe(before);
  });

  test("is shown to an administrator of the project only if it belongs to that project", async () => {
    const admin: Caller = {
      ...ANONYMOUS,
      kind: "account",
      name: "accounts/a",
      grants: [{ roles: ["ADMIN"], project: "p", template: null }],
    };
    const { events } = await api.as(admin)(AuditService).listAuditEvents({});
    expect(events.length).toBeGreaterThan(0);
    expect(events.filter(({ resource }) => !`${resource}/`.startsWith(`${P}/`))).toEqual([]);
  });
});

describe("audit events", () => {
  test("cannot be updated, truncated, or deleted before their retention is over", async () => {
    await expect(sql`UPDATE audit_events SET caller = 'nobody'`).rejects.toThrow("never changed");
    await expect(sql`DELETE FROM audit_events`).rejects.toThrow("is kept until");
    await expect(sql`TRUNCATE audit_events`).rejects.toThrow("never changed");
  });

  test("are deleted when their retention is over", async () => {
    const databases = openDatabases(api.databaseUrl);
    const before = (await newest())[0]?.id;
    await setAuditRetention(databases.control, 1);
    await api.client(ProjectService).updateProject({ project: { name: P, description: "brief" } });
    await setAuditRetention(databases.control, 86_400_000);
    await expect
      .poll(async () => {
        await forgetAuditEvents(databases.control);
        return (await newest())[0]?.id;
      })
      .toBe(before);
    await databases.close();
  });
});
