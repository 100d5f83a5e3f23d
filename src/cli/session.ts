import { type CallOptions, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import { connectSignalman, type Signalman } from "../client/connect.ts";
import { startConnectRetry } from "./connect-retry.ts";
import { UsageError } from "./errors.ts";

/** One command's way to the server. */
export interface Session extends Disposable {
  readonly client: Signalman;
  readonly json: boolean;
  /** A command line that goes to the same server. */
  command(line: string): string;
  /** Makes a call, again and again for 10 s if the server cannot be reached or is not ready. */
  call<T>(invoke: (client: Signalman, options: CallOptions) => Promise<T>, signal?: AbortSignal): Promise<T>;
}

interface GlobalOptions {
  server: string;
  token?: string;
  json?: true;
}

/** How long a call may take once the connection is there. */
const CALL_MS = 30_000;

/** The action of a command that speaks to the server: `body` returns the exit code. */
export function withSession<A extends unknown[]>(body: (session: Session, ...args: A) => Promise<number>) {
  return async (...args: [...A, Command]): Promise<void> => {
    const command = args.at(-1) as Command;
    const isNamed = command.getOptionValueSourceWithGlobals("server") === "cli";
    using session = openSession(command.optsWithGlobals<GlobalOptions>(), isNamed);
    process.exitCode = await body(session, ...(args.slice(0, -1) as A));
  };
}

/** Commander would show the token that it refuses; the server was looked at by it. */
function connect(server: string, token: string | undefined): Signalman {
  try {
    return connectSignalman({ server, token: token || undefined });
  } catch (cause) {
    if (cause instanceof TypeError)
      throw new UsageError(`--token or SIGNALMAN_TOKEN: ${cause.message}`, { cause });
    throw cause;
  }
}

function openSession({ server, token, json }: GlobalOptions, isNamed: boolean): Session {
  const client = connect(server, token);
  return {
    client,
    json: json ?? false,
    command: (line) => `signalman ${line}${isNamed ? ` --server ${server}` : ""}`,
    async call(invoke, signal) {
      using patience = startConnectRetry(server, signal);
      for (;;) {
        try {
          await patience.connected(client.connect());
          return await invoke(client, { timeoutMs: CALL_MS, signal });
        } catch (thrown) {
          signal?.throwIfAborted();
          if (!(thrown instanceof ConnectError)) throw thrown;
          await patience.wait(thrown);
        }
      }
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}
