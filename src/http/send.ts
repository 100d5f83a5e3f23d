import type { Writable } from "node:stream";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { HttpResponse } from "./port.ts";
import { type EncodedTail, piecesOf } from "./zero-copy.ts";

/**
 * Writes an answer at the pace of its reader: the next part of the body is asked for when the last one has left. What
 * cannot be sent is thrown into the body, where it waits, and then here. Stands in for `universalResponseToNodeResponse`,
 * which can only send what lies in one piece.
 */
export async function sendAnswer(
  answer: UniversalServerResponse,
  response: HttpResponse,
  tail?: EncodedTail,
): Promise<void> {
  const body = answer.body?.[Symbol.asyncIterator]();
  const out = openOutlet(response);
  try {
    // Headers come after the first message is here: until then the handler may still set them.
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
    // They are complete only now.
    if (answer.trailer) response.addTrailers(Object.fromEntries(answer.trailer));
    response.end();
  } finally {
    body?.return?.().catch(() => {});
  }
}

interface Outlet {
  /** Resolves when all of it is with the system; rejects if it never will be. */
  write(pieces: Uint8Array[]): Promise<void>;
}

function openOutlet(response: HttpResponse): Outlet {
  const sink: Writable = response;
  const stream: Writable = "stream" in response ? response.stream : response;
  let lost: (error: Error) => void = () => {};
  // The callback of a write that waits for a peer that has gone may never be called.
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
