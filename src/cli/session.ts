import { readFileSync } from "node:fs";
import { type CallOptions, Code, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import { connectSignalman, type Signalman } from "../client/connect.ts";
import { startConnectRetry } from "./connect-retry.ts";
import { UsageError } from "./errors.ts";
import { type LocalRoute, localRoute } from "./local-route.ts";

/** Connection of one command to the server, with the options that all commands share. */
export interface Session extends Disposable {
  readonly client: Signalman;
  readonly json: boolean;
  /** Completes a command line, shown as advice, so that it calls the same server. */
  command(line: string): string;
  /** Makes a call; repeats it for up to 10 s while the server cannot be reached or is not ready. */
  call<T>(invoke: (client: Signalman, options: CallOptions) => Promise<T>, signal?: AbortSignal): Promise<T>;
}

interface GlobalOptions {
  server: string;
  token?: string;
  caFile?: string;
  json?: true;
}

/** Deadline of a call on an open connection. */
const CALL_MS = 30_000;

/** Makes the action of a command that calls the server. `body` returns the exit code. */
export function withSession<A extends unknown[]>(body: (session: Session, ...args: A) => Promise<number>) {
  return async (...args: [...A, Command]): Promise<void> => {
    const command = args.at(-1) as Command;
    const isNamed = command.getOptionValueSourceWithGlobals("server") === "cli";
    using session = openSession(command.optsWithGlobals<GlobalOptions>(), isNamed);
    process.exitCode = await body(session, ...(args.slice(0, -1) as A));
  };
}

/** Checks the token here, since commander prints values that it refuses. Commander has checked the server. */
function connect({ server, token, caFile }: GlobalOptions, { dial }: LocalRoute): Signalman {
  const ca = caFile ? readCertificates(caFile) : undefined;
  try {
    return connectSignalman({ server, token: token || undefined, ca, dial });
  } catch (cause) {
    if (cause instanceof TypeError)
      throw new UsageError(`--token or SIGNALMAN_TOKEN: ${cause.message}`, { cause });
    throw cause;
  }
}

function readCertificates(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new UsageError(
      `--ca-file or SIGNALMAN_CA_FILE: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  }
}

function openSession(options: GlobalOptions, isNamed: boolean): Session {
  const { server, token, json } = options;
  const route = localRoute(server);
  const client = connect(options, route);
  /** The server was starting: its port was open already, its socket was not. */
  const wasEarly = ({ code }: ConnectError) => code === Code.Unauthenticated && !token && route.hasOpened();
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
          if (wasEarly(thrown)) client[Symbol.dispose]();
          else await patience.wait(thrown);
        }
      }
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}
