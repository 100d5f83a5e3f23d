import { ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AccountService, Role } from "../../../gen/signalman/v1/account_pb.ts";
import { CatalogService } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { RoleBindingService } from "../../../gen/signalman/v1/role_binding_pb.ts";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { TokenService } from "../../../gen/signalman/v1/token_pb.ts";
import { type InMemoryApi, startApi } from "../../support/in-memory.ts";
import { openSql, refusal } from "../support.ts";

let api: InMemoryApi;
let name: string;
beforeAll(async () => {
  api = await startApi();
  await api.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "p" },
      repositories: [{ name: "r", url: "/" }],
      templates: [{ name: "t", app: "sh", repository: "r", path: "x" }],
    },
  });
  const { task } = await api.client(TaskService).runTask({ template: "projects/p/templates/t" });
  name = task?.name ?? "";
});
afterAll(() => api[Symbol.asyncDispose]());

/** Opens both kinds of streams as a new account that may view `p`; `ends`: how both end. */
async function openStreams(accountId: string) {
  await api.client(AccountService).createAccount({ accountId, account: {} });
  await api.client(RoleBindingService).createRoleBinding({
    parent: "projects/p",
    roleBindingId: accountId,
    roleBinding: { account: `accounts/${accountId}`, roles: [Role.VIEWER] },
  });
  const parent = `accounts/${accountId}`;
  const { text } = await api.client(TokenService).createToken({ parent, tokenId: "t" });
  const tasks = api.withToken(text)(TaskService);
  const streams = [tasks.watchTask({ name }), tasks.watchTasks({ parent: "projects/p" })].map((stream) =>
    (stream as AsyncIterable<unknown>)[Symbol.asyncIterator](),
  );
  for (const stream of streams) await stream.next();
  return {
    text,
    ends: Promise.all(
      streams.map((stream) =>
        refusal(
          (async () => {
            while (!(await stream.next()).done);
          })(),
        ),
      ),
    ),
  };
}

const both = (refused: object) => [expect.objectContaining(refused), expect.objectContaining(refused)];

test("streams end with UNAUTHENTICATED when their token is revoked", async () => {
  const { ends } = await openStreams("revoked");
  await api.client(TokenService).revokeToken({ name: "accounts/revoked/tokens/t" });
  expect(await ends).toEqual(both({ code: "Unauthenticated", reason: "TOKEN_WRONG" }));
});

test("streams end with UNAUTHENTICATED when their token expires", async () => {
  const { ends } = await openStreams("expiring");
  const sql = openSql(api);
  await sql`UPDATE tokens SET expire_time = now() WHERE account = 'expiring'`;
  await sql.end();
  expect(await ends).toEqual(both({ code: "Unauthenticated" }));
});

test("streams end with UNAUTHENTICATED when their account is deleted", async () => {
  const { ends } = await openStreams("deleted");
  await api.client(AccountService).deleteAccount({ name: "accounts/deleted" });
  expect(await ends).toEqual(both({ code: "Unauthenticated" }));
});

test("streams end with PERMISSION_DENIED when their account loses the right", async () => {
  const { ends } = await openStreams("demoted");
  await api.client(RoleBindingService).deleteRoleBinding({ name: "projects/p/roleBindings/demoted" });
  expect(await ends).toEqual(both({ code: "PermissionDenied", reason: "PERMISSION_DENIED" }));
});

test("a stream goes on when another role gives the right", async () => {
  const { text, ends } = await openStreams("promoted");
  let isOver = false;
  void ends.then(() => {
    isOver = true;
  });
  await api
    .client(AccountService)
    .updateAccount({ account: { name: "accounts/promoted", roles: [Role.VIEWER] } });
  const reads = api.withToken(text)(TaskService);
  await expect
    .poll(() => reads.listTasks({ parent: "projects/-" }).then(() => "passes", ConnectError.from))
    .toBe("passes");
  await api.client(RoleBindingService).deleteRoleBinding({ name: "projects/p/roleBindings/promoted" });
  await api
    .client(AccountService)
    .updateAccount({ account: { name: "accounts/promoted", description: "x" } });
  expect(isOver).toBe(false);
  await api.client(TokenService).revokeToken({ name: "accounts/promoted/tokens/t" });
  expect(await ends).toEqual(both({ code: "Unauthenticated" }));
});
