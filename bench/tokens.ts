import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { AccountService, Role } from "../gen/signalman/v1/account_pb.ts";
import { RoleBindingService } from "../gen/signalman/v1/role_binding_pb.ts";
import { TaskService } from "../gen/signalman/v1/task_service_pb.ts";
import { TokenService } from "../gen/signalman/v1/token_pb.ts";
import { type Row, ratio } from "./measure.ts";
import { applyScripts, type BenchServer } from "./server.ts";

const CALLS = 10_000;
const AT_ONCE = 20;
/** Rounds with and without a token in turns, since other programs load the machine. */
const ROUNDS = 10;

/** (j) Measures the server's CPU for GetTask by an account that may view one template, beside the same calls without a token. */
export async function benchTokens(server: BenchServer): Promise<Row[]> {
  await applyScripts(server, { hello: "true\n" });
  const open = createGrpcTransport({ baseUrl: server.url });
  const { task } = await createClient(TaskService, open).runTask({
    template: "projects/bench/templates/hello",
  });
  const name = task?.name ?? "";
  const token = await viewerToken(open);
  const tokened = createGrpcTransport({
    baseUrl: server.url,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
  const clients = { without: createClient(TaskService, open), account: createClient(TaskService, tokened) };
  const cpu = { without: 0, account: 0 };
  for (let round = -1; round < ROUNDS; round++) {
    for (const who of ["without", "account"] as const) {
      const before = server.usage().cpu;
      await call(() => clients[who].getTask({ name }));
      // The first round is not measured: it compiles the code.
      if (round >= 0) cpu[who] += server.usage().cpu - before;
    }
  }
  return [
    {
      part: "j",
      what: "GetTask without a token: server CPU",
      value: (cpu.without / CALLS) * 1e6,
      unit: "µs",
    },
    { part: "j", what: "GetTask by an account: server CPU", value: (cpu.account / CALLS) * 1e6, unit: "µs" },
    ratio("j", "GetTask by an account / without a token, CPU", cpu.account / cpu.without, "≤", 1.05, "times"),
  ];
}

async function call(work: () => Promise<unknown>): Promise<void> {
  let left = CALLS / ROUNDS;
  const one = async () => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

async function viewerToken(transport: ReturnType<typeof createGrpcTransport>): Promise<string> {
  await createClient(AccountService, transport).createAccount({ accountId: "bench", account: {} });
  await createClient(RoleBindingService, transport).createRoleBinding({
    parent: "projects/bench",
    roleBindingId: "bench",
    roleBinding: {
      account: "accounts/bench",
      roles: [Role.VIEWER],
      template: "projects/bench/templates/hello",
    },
  });
  const tokens = createClient(TokenService, transport);
  return (await tokens.createToken({ parent: "accounts/bench", tokenId: "bench" })).text;
}
