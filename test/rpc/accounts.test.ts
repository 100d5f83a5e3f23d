import { afterAll, beforeAll, expect, test } from "vitest";
import { AccountService, Role } from "../../gen/signalman/v1/account_pb.ts";
import { ProjectService } from "../../gen/signalman/v1/project_pb.ts";
import { RoleBindingService } from "../../gen/signalman/v1/role_binding_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { TokenService } from "../../gen/signalman/v1/token_pb.ts";
import { type InMemoryApi, startApi } from "../support/in-memory.ts";
import { everyRow, openSql, refusal } from "./support.ts";

let api: InMemoryApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const accounts = () => api.client(AccountService);
const tokens = () => api.client(TokenService);

/** Creates an account with a token, and returns the token's text. */
async function makeAccount(accountId: string, roles: Role[] = []): Promise<string> {
  await accounts().createAccount({ accountId, account: { roles } });
  return (await tokens().createToken({ parent: `accounts/${accountId}`, tokenId: "main" })).text;
}

test("an account is created, read, listed, updated and deleted", async () => {
  const { account } = await accounts().createAccount({
    accountId: "ci",
    account: { description: "Builds", roles: [Role.VIEWER] },
  });
  expect(account).toMatchObject({ name: "accounts/ci", description: "Builds", roles: [Role.VIEWER] });
  const { account: read } = await accounts().getAccount({ name: "accounts/ci" });
  expect(read).toEqual(account);
  expect((await accounts().listAccounts({})).accounts.map(({ name }) => name)).toEqual(["accounts/ci"]);
  const { account: changed } = await accounts().updateAccount({
    account: { name: "accounts/ci", etag: read?.etag, roles: [] },
    updateMask: { paths: ["roles"] },
  });
  expect(changed).toMatchObject({ description: "Builds", roles: [] });
  expect(
    await refusal(accounts().updateAccount({ account: { name: "accounts/ci", etag: read?.etag } })),
  ).toMatchObject({ reason: "ETAG_MISMATCH" });
  expect(await refusal(accounts().createAccount({ accountId: "ci", account: {} }))).toMatchObject({
    reason: "RESOURCE_ALREADY_EXISTS",
  });
  await accounts().deleteAccount({ name: "accounts/ci" });
  expect(await refusal(accounts().getAccount({ name: "accounts/ci" }))).toMatchObject({ code: "NotFound" });
});

test("a token is shown once, and stored as a hash alone", async () => {
  const text = await makeAccount("once");
  expect(text).toMatch(/^sgm_[\w-]{43}$/);
  const { tokens: listed } = await tokens().listTokens({ parent: "accounts/once" });
  expect(listed.map(({ name, lastUseTime }) => [name, lastUseTime])).toEqual([
    ["accounts/once/tokens/main", undefined],
  ]);
  const sql = openSql(api);
  expect(await everyRow(sql)).not.toContain(text.slice(4));
  await sql.end();
});

test("a token makes its account the caller, until it is revoked", async () => {
  const text = await makeAccount("short", [Role.VIEWER]);
  const projects = api.withToken(text)(ProjectService);
  await projects.listProjects({});
  await tokens().revokeToken({ name: "accounts/short/tokens/main" });
  await expect
    .poll(() => refusal(projects.listProjects({})).catch(() => "passes"))
    .toMatchObject({
      reason: "TOKEN_WRONG",
    });
  expect((await tokens().listTokens({ parent: "accounts/short" })).tokens[0]?.revokeTime).toBeDefined();
});

test("the last use of a token is recorded", async () => {
  const text = await makeAccount("used", [Role.VIEWER]);
  await api.withToken(text)(ProjectService).listProjects({});
  const list = () => tokens().listTokens({ parent: "accounts/used" });
  await expect.poll(async () => (await list()).tokens[0]?.lastUseTime).toBeDefined();
});

test("an expired token is refused", async () => {
  await accounts().createAccount({ accountId: "brief", account: { roles: [Role.VIEWER] } });
  const { text } = await tokens().createToken({
    parent: "accounts/brief",
    tokenId: "t",
    lifetime: { seconds: 1n },
  });
  const projects = api.withToken(text)(ProjectService);
  await expect
    .poll(() => refusal(projects.listProjects({})).catch(() => "passes"), { timeout: 5000 })
    .toMatchObject({
      code: "Unauthenticated",
    });
});

test("a role binding permits its roles on its project or template, and nothing else", async () => {
  const text = await makeAccount("runner");
  const call = api.withToken(text);
  await api.client(ProjectService).createProject({ projectId: "p", project: {} });
  const parent = "projects/p";
  expect(await refusal(call(ProjectService).getProject({ name: parent }))).toMatchObject({
    code: "NotFound",
  });
  expect(await refusal(call(TaskService).listTasks({ parent }))).toMatchObject({ code: "NotFound" });
  await api.client(RoleBindingService).createRoleBinding({
    parent,
    roleBindingId: "runner",
    roleBinding: { account: "accounts/runner", roles: [Role.VIEWER] },
  });
  await expect
    .poll(() => call(ProjectService).getProject({ name: parent }).catch(String))
    .toMatchObject({ project: { name: parent } });
  expect((await call(TaskService).listTasks({ parent })).tasks).toEqual([]);
  expect(await refusal(call(ProjectService).deleteProject({ name: parent }))).toMatchObject({
    code: "PermissionDenied",
    reason: "PERMISSION_DENIED",
  });
  expect(await refusal(call(AccountService).listAccounts({}))).toMatchObject({ code: "PermissionDenied" });
});

test("a role binding of an unknown account is refused", async () => {
  await api.client(ProjectService).createProject({ projectId: "q", project: {} });
  const create = api.client(RoleBindingService).createRoleBinding({
    parent: "projects/q",
    roleBindingId: "x",
    roleBinding: { account: "accounts/nobody", roles: [Role.VIEWER] },
  });
  expect(await refusal(create)).toMatchObject({ fields: ["role_binding.account"] });
});
