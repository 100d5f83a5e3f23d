import type { Writable } from "node:stream";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { HttpResponse } from "./exchange.ts";
import { type EncodedTail, piecesOf } from "./zero-copy.ts";

/**
 * Writes a response at the pace of its reader: the next part of the body is requested when the previous one was written.
 * Rejects if a part cannot be sent, after throwing the error into the waiting body. Replaces
 * `universalResponseToNodeResponse`, which cannot send a part that consists of several pieces.
 */
export async function sendAnswer(
  answer: UniversalServerResponse,
  response: HttpResponse,
  tail?: EncodedTail,
): Promise<void> {
  const body = answer.body?.[Symbol.asyncIterator]();
  const out = openOutlet(response);
  try {
    // Headers are written after the first message, since the handler may set them until then.
    let part = await body?.next();
    const head = Object.fromEntries(answer.header ?? []);
    if ("stream" in response) response.writeHead(answer.status, head);
    else response.writeHead(answer.status, head);
    for (; part && !part.done; part = await body?.next()) {
      await out.write(piecesOf(part.value, tail)).catch(async (error) => {
        await body?.throw?.(error);
        throw error;
      });
    }
    // Trailers are complete only after the body.
    if (answer.trailer) response.addTrailers(Object.fromEntries(answer.trailer));
    response.end();
  } finally {
    body?.return?.().catch(() => {});
  }
}

interface Outlet {
  /** Resolves when the operating system has all pieces; rejects if they cannot be written. */
  write(pieces: Uint8Array[]): Promise<void>;
}

function openOutlet(response: HttpResponse): Outlet {
  const sink: Writable = response;
  const stream: Writable = "stream" in response ? response.stream : response;
  let lost: (error: Error) => void = () => {};
  // If the peer is gone, the callback of a waiting write may never be called.
  sink.once("close", () => lost(new Error("The connection was closed")));
  sink.on("error", (error) => lost(error));
  return {
    write: (pieces) =>
      new Promise((resolve, reject) => {
        lost = reject;
        stream.cork();
        for (const piece of pieces.slice(0, -1)) sink.write(piece);
        sink.write(pieces.at(-1), (error) => (error ? reject(error) : resolve()));
        stream.uncork();
      }),
  };
}
