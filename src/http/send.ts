import { constants } from "node:http2";
import type { Writable } from "node:stream";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { HttpResponse } from "./exchange.ts";
import type { Pace } from "./stream-limits.ts";
import { type EncodedTail, piecesOf } from "./zero-copy.ts";

/**
 * Writes a response at the pace of its reader: the next part of the body is requested when the previous one was written.
 * Rejects if a part cannot be sent, after throwing the error into the waiting body. Replaces
 * `universalResponseToNodeResponse`, which cannot send a part that consists of several pieces.
 */
export async function sendAnswer(
  answer: UniversalServerResponse,
  response: HttpResponse,
  { tail, pace }: { tail?: EncodedTail; pace?: Pace | undefined } = {},
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
      if (pace?.isLate) {
        // The last part, behind what the client has not read.
        out.write(piecesOf(part.value, tail)).catch(() => {});
        continue;
      }
      pace?.begins(out.giveUp);
      await out.write(piecesOf(part.value, tail)).catch(async (error) => {
        // The call was ended; the unread message and what says so stay in the stream's buffer for a while.
        if (error === GAVE_UP) return;
        await body?.throw?.(error);
        throw error;
      });
      pace?.ended();
    }
    // Trailers are complete only after the body.
    if (answer.trailer) response.addTrailers(Object.fromEntries(answer.trailer));
    response.end();
    if (pace?.isLate) dropUnread(response);
  } finally {
    body?.return?.().catch(() => {});
  }
}

/** Milliseconds for which the end of a stream whose client does not read is kept for it. */
const UNREAD_MS = 60_000;

/** Drops a response that was ended but not read in time. gRPC names this reset UNAVAILABLE. */
function dropUnread(response: HttpResponse): void {
  const drop = () => {
    if ("stream" in response) response.stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else response.destroy();
  };
  const timer = setTimeout(drop, UNREAD_MS).unref();
  (response as Writable).once("close", () => clearTimeout(timer));
}

interface Outlet {
  /** Resolves when the operating system has all pieces; rejects if they cannot be written. */
  write(pieces: Uint8Array[]): Promise<void>;
  /** Stops waiting for a write, which then rejects with GAVE_UP. What it has written may still be sent. */
  giveUp(): void;
}

/** Reason of a write that was given up, since the client has not read it. */
const GAVE_UP = new Error("The client does not read");

function openOutlet(response: HttpResponse): Outlet {
  const sink: Writable = response;
  const stream: Writable = "stream" in response ? response.stream : response;
  let lost: (error: Error) => void = () => {};
  // If the peer is gone, the callback of a waiting write may never be called.
  sink.once("close", () => lost(new Error("The connection was closed")));
  sink.on("error", (error) => lost(error));
  return {
    giveUp: () => lost(GAVE_UP),
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
