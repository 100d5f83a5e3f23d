import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A call as it came. */
export interface Received {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Response to a call: a status with a body, or a redirect; undefined: no response. */
export type Answer = { status: number; body?: string; location?: string } | undefined;

/** A real HTTP server that hooks call. */
export interface Receiver extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly received: Received[];
  /** For paths that begin so, one after the other; the last one stays. Without any: 204. */
  answer(path: string, ...answers: Answer[]): void;
  /** Resolves once there are so many calls of a path. */
  calls(path: string, count: number): Promise<Received[]>;
}

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const answers = new Map<string, Answer[]>();
  const waiting = new Set<() => void>();
  const server: Server = createServer(async (request, response) => {
    const { method = "", url: path = "", headers } = request;
    received.push({ method, path, headers, body: await text(request) });
    for (const look of waiting) look();
    const left = answers.get(path) ?? [{ status: 204 }];
    const answer = left.length > 1 ? left.shift() : left[0];
    if (!answer) return;
    response.writeHead(answer.status, answer.location ? { location: answer.location } : {}).end(answer.body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const of = (path: string) => received.filter((call) => call.path === path);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answer: (path, ...given) => void answers.set(path, given),
    async calls(path, count) {
      while (of(path).length < count)
        await new Promise<void>((resolve) => {
          const look = () => {
            waiting.delete(look);
            resolve();
          };
          waiting.add(look);
        });
      return of(path);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
