import { ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AccessKeyService } from "../../../gen/signalman/v1/access_key_pb.ts";
import { AccountService, Role } from "../../../gen/signalman/v1/account_pb.ts";
import { CatalogAction, CatalogService } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { HookEvent } from "../../../gen/signalman/v1/hook_pb.ts";
import { ProjectService } from "../../../gen/signalman/v1/project_pb.ts";
import { RoleBindingService } from "../../../gen/signalman/v1/role_binding_pb.ts";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../../gen/signalman/v1/template_pb.ts";
import { ANONYMOUS, type Caller } from "../../../src/task/caller.ts";
import type { Role as RoleName } from "../../../src/task/roles.ts";
import { type InMemoryApi, startApi } from "../../support/in-memory.ts";
import { openSql, refusal } from "../support.ts";

let api: InMemoryApi;
const EDITOR_OF_T = caller("accounts/e", "EDITOR", "p", "t");
beforeAll(async () => {
  api = await startApi();
  await api.client(AccountService).createAccount({ accountId: "ci", account: {} });
  await api.client(CatalogService).applyCatalog({ catalog: CATALOG });
});
afterAll(() => api[Symbol.asyncDispose]());

const CATALOG = {
  project: { name: "p" },
  repositories: [
    { name: "r", url: "/" },
    { name: "other", url: "/" },
  ],
  environments: [{ name: "secrets" }],
  templates: ["t", "u"].map((name) => ({ name, app: "sh", repository: "r", path: "x" })),
  roleBindings: [{ name: "ci", account: "ci", roles: [Role.RUNNER], template: "t" }],
};

function caller(
  name: string,
  role: RoleName,
  project: string | null = null,
  template: string | null = null,
): Caller {
  return { kind: "account", name, grants: [{ roles: [role], project, template }] };
}

describe("role bindings in a catalog", () => {
  const apply = (who: Caller, more: object = {}, options: object = {}) =>
    api
      .as(who)(CatalogService)
      .applyCatalog({ catalog: { ...CATALOG, ...more }, ...options });

  test("are stored with full names, exported, and unchanged when they are applied again", async () => {
    const { roleBinding } = await api
      .client(RoleBindingService)
      .getRoleBinding({ name: "projects/p/roleBindings/ci" });
    expect(roleBinding).toMatchObject({ account: "accounts/ci", template: "projects/p/templates/t" });
    const { catalog } = await api.client(CatalogService).exportCatalog({ name: "projects/p" });
    expect(catalog?.roleBindings).toMatchObject([{ name: "ci", account: "ci", template: "t" }]);
    const { changes } = await api.client(CatalogService).applyCatalog({ catalog });
    expect(changes.every(({ action }) => action === CatalogAction.UNCHANGED)).toBe(true);
  });

  test("are changed by an administrator of the project only, also with validate_only", async () => {
    const grantMe = { roleBindings: [{ name: "ci", account: "ci", roles: [Role.ADMIN] }] };
    for (const options of [{}, { validateOnly: true }])
      expect(await refusal(apply(caller("accounts/e", "EDITOR", "p"), grantMe, options))).toMatchObject({
        code: "PermissionDenied",
      });
    await apply(caller("accounts/e", "EDITOR", "p"));
    const described = { roleBindings: [{ ...CATALOG.roleBindings[0], description: "mine" }] };
    expect(await refusal(apply(caller("accounts/e", "EDITOR", "p"), described))).toMatchObject({
      code: "PermissionDenied",
    });
    // The answer does not tell whether an account exists.
    const nobody = { roleBindings: [{ name: "ci", account: "nobody", roles: [Role.ADMIN] }] };
    expect(await refusal(apply(caller("accounts/e", "EDITOR", "p"), nobody))).toMatchObject({
      code: "PermissionDenied",
    });
    const { changes } = await apply(caller("accounts/a", "ADMIN", "p"), grantMe, { validateOnly: true });
    expect(changes.find(({ name }) => name.endsWith("roleBindings/ci"))?.action).toBe(CatalogAction.UPDATE);
  });

  test("are neither pruned nor exported by an editor", async () => {
    const editor = caller("accounts/e", "EDITOR", "p");
    const { changes } = await apply(editor, { roleBindings: [] }, { prune: true });
    expect(changes.map(({ name }) => name).filter((name) => name.includes("roleBindings"))).toEqual([]);
    const { catalog } = await api.as(editor)(CatalogService).exportCatalog({ name: "projects/p" });
    expect(catalog?.roleBindings).toEqual([]);
    await api.client(RoleBindingService).getRoleBinding({ name: "projects/p/roleBindings/ci" });
  });

  test("must name existing accounts and templates, and each role once", async () => {
    const bad = { roleBindings: [{ name: "x", account: "nobody", roles: [Role.VIEWER], template: "none" }] };
    expect((await refusal(apply(ANONYMOUS, bad))).fields).toEqual([
      "catalog.role_bindings[0].account",
      "catalog.role_bindings[0].template",
    ]);
    const twice = { roleBindings: [{ name: "x", account: "ci", roles: [Role.VIEWER, Role.VIEWER] }] };
    expect((await refusal(apply(ANONYMOUS, twice))).fields).toEqual(["catalog.role_bindings[0].roles[1]"]);
    const none = { roleBindings: [{ name: "x", account: "ci", roles: [] }] };
    expect((await refusal(apply(ANONYMOUS, none))).fields).toEqual(["catalog.role_bindings[0].roles"]);
  });

  test("are deleted with their template and with their account", async () => {
    await api.client(AccountService).createAccount({ accountId: "brief", account: {} });
    const bind = (roleBindingId: string, roleBinding: object) =>
      api.client(RoleBindingService).createRoleBinding({ parent: "projects/p", roleBindingId, roleBinding });
    await api.client(TemplateService).createTemplate({
      parent: "projects/p",
      templateId: "brief",
      template: { app: "sh", repository: "projects/p/repositories/r", path: "x" },
    });
    await bind("a", { account: "accounts/brief", roles: [Role.VIEWER] });
    await bind("b", { account: "accounts/ci", roles: [Role.VIEWER], template: "projects/p/templates/brief" });
    await api.client(AccountService).deleteAccount({ name: "accounts/brief" });
    await api.client(TemplateService).deleteTemplate({ name: "projects/p/templates/brief" });
    const { roleBindings } = await api.client(RoleBindingService).listRoleBindings({ parent: "projects/p" });
    expect(roleBindings.map(({ name }) => name)).toEqual(["projects/p/roleBindings/ci"]);
  });
});

describe("an editor of one template", () => {
  const update = (template: object, paths: string[]) =>
    api
      .as(EDITOR_OF_T)(TemplateService)
      .updateTemplate({
        template: { name: "projects/p/templates/t", ...template },
        updateMask: { paths },
      });

  test("can change it", async () => {
    const { template } = await update({ description: "new", path: "y" }, ["description", "path"]);
    expect(template).toMatchObject({ description: "new", path: "y" });
  });

  test("cannot make it use resources that the editor may not read; the error is that of a missing resource", async () => {
    const missing = await refusal(update({ environment: "projects/p/environments/none" }, ["environment"]));
    const hidden = await refusal(update({ environment: "projects/p/environments/secrets" }, ["environment"]));
    expect(hidden).toEqual(missing);
    expect(
      await refusal(update({ repository: "projects/p/repositories/other" }, ["repository"])),
    ).toMatchObject({
      fields: ["template.repository"],
    });
    expect(await refusal(update({ repository: "projects/q/repositories/r" }, ["repository"]))).toMatchObject({
      fields: ["template.repository"],
    });
    const kind = { case: "http", value: { urlKey: "projects/p/accessKeys/chat" } } as const;
    const hooks = [{ name: "chat", event: HookEvent.AFTER_TASK, kind }];
    const unknown = await refusal(update({ hooks }, ["hooks"]));
    expect(unknown.fields).toEqual(["template.hooks[0].http.url_key"]);
    const accessKey = { kind: { case: "text", value: { value: "https://chat.example.org/" } } } as const;
    const keys = api.client(AccessKeyService);
    await keys.createAccessKey({ parent: "projects/p", accessKeyId: "chat", accessKey });
    expect(await refusal(update({ hooks }, ["hooks"]))).toEqual(unknown);
  });

  test("is not told by errors which resources use it", async () => {
    const deploys = api.client(TemplateService);
    await deploys.updateTemplate({ template: { name: "projects/p/templates/t", type: 2 } });
    await deploys.updateTemplate({
      template: { name: "projects/p/templates/u", type: 3, buildTemplate: "projects/p/templates/t" },
    });
    const name = "projects/p/templates/t";
    const own = api.as(EDITOR_OF_T)(TemplateService);
    for (const call of [() => own.deleteTemplate({ name }), () => update({ type: 1 }, ["type"])]) {
      const error = await call().catch(ConnectError.from);
      expect(String(error)).toContain("another resource");
      expect(String(error)).not.toContain("templates/u");
    }
    await deploys.updateTemplate({
      template: { name: "projects/p/templates/u", type: 1 },
      updateMask: { paths: ["type", "build_template"] },
    });
  });

  test("cannot give its tasks git_access or an overridden inventory", async () => {
    for (const flag of ["git_access", "allow_override_inventory"] as const)
      expect(await refusal(update({ gitAccess: true, allowOverrideInventory: true }, [flag]))).toMatchObject({
        code: "PermissionDenied",
      });
  });
});

test("an editor deletes a project with tasks only with the permission to delete tasks", async () => {
  await api.client(ProjectService).createProject({ projectId: "doomed", project: {} });
  const name = "projects/doomed";
  const editor = api.as(caller("accounts/e", "EDITOR", "doomed"))(ProjectService);
  expect(await refusal(editor.deleteProject({ name, force: true }))).toMatchObject({
    code: "PermissionDenied",
  });
  await editor.deleteProject({ name });
});

describe("tasks", () => {
  const template = "projects/p/templates/t";
  const runner = (name: string) => api.as(caller(name, "RUNNER", "p", "t"))(TaskService);

  test("of other accounts are not killed by a runner, with KillTask or KillTasks", async () => {
    const { task: mine } = await runner("accounts/a").runTask({ template });
    const { task: other } = await runner("accounts/b").runTask({ template });
    expect(await refusal(runner("accounts/a").killTask({ name: other?.name }))).toMatchObject({
      code: "PermissionDenied",
    });
    const { tasks } = await runner("accounts/a").killTasks({ template });
    expect(tasks.map(({ name }) => name)).toEqual([mine?.name]);
    const { tasks: rest } = await api.client(TaskService).killTasks({ template });
    expect(rest.map(({ name }) => name)).toEqual([other?.name]);
  });

  test("have request ids that other accounts cannot use", async () => {
    const requestId = "01a20a8f-a03f-7f1e-aba5-29fd1ad73196";
    const { task } = await runner("accounts/a").runTask({ template, requestId });
    expect((await runner("accounts/a").runTask({ template, requestId })).task?.name).toBe(task?.name);
    expect(await refusal(runner("accounts/b").runTask({ template, requestId }))).toMatchObject({
      reason: "REQUEST_ID_REUSED",
    });
    await api.client(TaskService).killTasks({ template });
  });

  test("with confirm_by_other cannot be confirmed by the account that created them", async () => {
    await api.client(TemplateService).updateTemplate({
      template: { name: template, confirmByOther: true },
      updateMask: { paths: ["confirm_by_other"] },
    });
    const digest = "d".repeat(64);
    const operator = (name: string) => api.as(caller(name, "OPERATOR", "p"))(TaskService);
    const { task } = await operator("accounts/a").runTask({ template });
    const name = task?.name ?? "";
    const sql = openSql(api);
    const plan = sql.json({ digest, add: 1, change: 0, destroy: 0 });
    await sql`UPDATE tasks SET status = 'WAITING_CONFIRMATION', plan = ${plan}, node = gen_random_uuid() WHERE id = ${name.split("/")[3] ?? ""}`;
    await sql.end();
    expect(await refusal(operator("accounts/a").confirmTask({ name, planDigest: digest }))).toMatchObject({
      code: "PermissionDenied",
      reason: "CONFIRM_BY_OTHER",
    });
    // The task keeps the flag that its template had when the task was created.
    await api.client(TemplateService).updateTemplate({
      template: { name: template, confirmByOther: false },
      updateMask: { paths: ["confirm_by_other"] },
    });
    expect(await refusal(operator("accounts/a").confirmTask({ name, planDigest: digest }))).toMatchObject({
      reason: "CONFIRM_BY_OTHER",
    });
    const { task: confirmed } = await operator("accounts/b").confirmTask({ name, planDigest: digest });
    expect(confirmed?.plan?.decidedBy).toBe("accounts/b");
  });

  test("cannot have both confirm_by_other and allow_auto_approve", async () => {
    const create = api.client(TemplateService).createTemplate({
      parent: "projects/p",
      templateId: "auto",
      template: {
        app: "terraform",
        repository: "projects/p/repositories/r",
        path: ".",
        confirmByOther: true,
        settings: { case: "terraform", value: { allowAutoApprove: true } },
      },
    });
    expect((await refusal(create)).fields).toEqual(["template.confirm_by_other"]);
  });
});
