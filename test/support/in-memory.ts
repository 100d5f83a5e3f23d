import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, createRouterTransport } from "@connectrpc/connect";
import { pino } from "pino";
import { interceptors } from "../../src/rpc/interceptors/all.ts";
import { type RpcDeps, routes } from "../../src/rpc/routes.ts";
import { violationsOf } from "../../src/rpc/rules/check.ts";

export interface InMemoryOptions {
  /** The server's token, which the client sends along. */
  token?: string;
  /** Gets each line of the server's log. */
  log?: (line: Record<string, unknown>) => void;
}

/**
 * The RPCs with all their interceptors and rules, and with what the test gives them to work with: no port, no process, no
 * database.
 */
export function inMemory(
  deps: Partial<RpcDeps>,
  { token, log }: InMemoryOptions = {},
): <S extends DescService>(service: S) => Client<S> {
  const logger = pino({ level: log ? "debug" : "silent" }, { write: (line) => log?.(JSON.parse(line)) });
  const transport = createRouterTransport(routes(deps as RpcDeps), {
    router: { interceptors: interceptors({ logger, token, rules: violationsOf }) },
    transport: {
      interceptors: [
        (next) => (request) => {
          if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
          return next(request);
        },
      ],
    },
  });
  return (service) => createClient(service, transport);
}
