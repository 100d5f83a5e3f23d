import { randomBytes } from "node:crypto";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, createRouterTransport, type Interceptor } from "@connectrpc/connect";
import { pino } from "pino";
import { refused } from "../../src/access/authenticator.ts";
import { type Callers, createCallers } from "../../src/access/callers.ts";
import { appsElsewhere } from "../../src/jobs/apps/inspect-apps.ts";
import { BUILT_IN } from "../../src/jobs/families/all.ts";
import { createCipher } from "../../src/keys/cipher.ts";
import { createHub } from "../../src/live/hub.ts";
import { rpcDeps } from "../../src/rpc/deps.ts";
import { failureError } from "../../src/rpc/errors/errors.ts";
import { interceptors } from "../../src/rpc/interceptors/all.ts";
import { callerKey } from "../../src/rpc/interceptors/context.ts";
import { limitRefusals } from "../../src/rpc/refusals.ts";
import { type RpcDeps, routes } from "../../src/rpc/routes.ts";
import { violationsOf } from "../../src/rpc/rules/check.ts";
import { findTokens, recordUse } from "../../src/store/accounts/tokens.ts";
import { recordRefusal } from "../../src/store/audit.ts";
import { openDatabases } from "../../src/store/postgres/databases.ts";
import { ANONYMOUS, type Caller } from "../../src/task/caller.ts";
import { testDatabase } from "./database.ts";

export interface InMemoryOptions {
  /** Caller of all calls, or a function that returns the caller of each call. Default: any program, as with --no-auth. */
  caller?: Caller | (() => Promise<Caller>);
  /** Called with each line of the server's log. */
  log?: (line: Record<string, unknown>) => void;
}

/** Serves the RPCs with all their interceptors and rules on the test's dependencies: no port, no process, no database. */
export function inMemory(
  deps: Partial<RpcDeps>,
  { caller = ANONYMOUS, log }: InMemoryOptions = {},
): <S extends DescService>(service: S) => Client<S> {
  const logger = pino({ level: log ? "debug" : "silent" }, { write: (line) => log?.(JSON.parse(line)) });
  const { recordRefusal = async () => {} } = deps;
  const transport = createRouterTransport(routes(deps as RpcDeps), {
    router: {
      interceptors: [calledBy(caller), ...interceptors({ logger, rules: violationsOf, recordRefusal })],
    },
  });
  return (service) => createClient(service, transport);
}

/** Sets the caller, as http/ does from the headers. */
function calledBy(caller: NonNullable<InMemoryOptions["caller"]>): Interceptor {
  return (next) => async (request) => {
    request.contextValues.set(callerKey, typeof caller === "function" ? await caller() : caller);
    return next(request);
  };
}

/** The RPCs on a separate database, without port and runner, for tests of calls that only read and write. */
export interface InMemoryApi extends AsyncDisposable {
  client<S extends DescService>(service: S): Client<S>;
  /** Clients that call with the token of an account. */
  withToken(token: string): <S extends DescService>(service: S) => Client<S>;
  /** Returns clients of a caller that is not in the database; its rights never change. */
  as(caller: Caller): <S extends DescService>(service: S) => Client<S>;
  readonly callers: Callers;
  readonly databaseUrl: string;
}

export async function startApi(): Promise<InMemoryApi> {
  const database = await testDatabase();
  const databases = openDatabases(database.url);
  const callers = createCallers({
    findTokens: (hashes) => findTokens(databases.reads, hashes),
    recordUse: (hashes) => recordUse(databases.control, hashes),
    everyMs: 50,
  });
  const deps = rpcDeps(databases, {
    callers,
    cipher: createCipher([randomBytes(32)]),
    hub: createHub(),
    operatorLog: { step() {} },
    isolation: undefined,
    recordRefusal: limitRefusals((...args) => recordRefusal(databases.control, ...args)),
    inspectApps: async () => appsElsewhere(BUILT_IN),
    appNames: Object.keys(BUILT_IN),
    lostTimeoutMs: 600_000,
    runsTasks: false,
    onCreated() {},
    onDecided() {},
    onChanged() {},
  });
  return {
    client: inMemory(deps),
    withToken: (token) =>
      inMemory(deps, {
        async caller() {
          const found = await callers.verify(token);
          if (!found) throw failureError(refused("TOKEN_WRONG", "wrong token"));
          return found;
        },
      }),
    as: (caller) =>
      inMemory(
        { ...deps, observe: () => ({ signal: new AbortController().signal, [Symbol.dispose]() {} }) },
        { caller },
      ),
    callers,
    databaseUrl: database.url,
    async [Symbol.asyncDispose]() {
      await callers[Symbol.asyncDispose]();
      await databases.close();
      await database.drop();
    },
  };
}
