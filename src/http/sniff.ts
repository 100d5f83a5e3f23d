import type { Socket } from "node:net";
import { startFirstBytesTimeout } from "../async/first-bytes-timeout.ts";

const HTTP2_PREFACE = Buffer.from("PRI"); // RFC 9113, section 3.4; no method of HTTP/1.1 begins so

export type Protocol = "http1" | "http2";

/**
 * Reads the first bytes of a new connection, puts them back and says whose they are; undefined: the peer said nothing
 * for `patienceMs` or left, and the socket is destroyed. Calls `decided` once.
 *
 * The bytes are read on `readable`: `data` would set the socket flowing, and what comes before the next listener is there
 * would be lost.
 */
export function sniff(
  socket: Socket,
  patienceMs: number,
  decided: (protocol: Protocol | undefined) => void,
): void {
  const seen: Buffer[] = [];
  const look = (): void => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    seen.push(chunk);
    const protocol = protocolOf(Buffer.concat(seen));
    if (protocol === undefined) return;
    release();
    socket.unshift(Buffer.concat(seen));
    decided(protocol);
  };
  const giveUp = (): void => {
    release();
    socket.destroy();
    decided(undefined);
  };
  const stop = startFirstBytesTimeout(patienceMs, giveUp);
  const release = (): void => {
    stop();
    socket.off("readable", look).off("end", giveUp).off("close", giveUp);
  };
  socket.on("readable", look).on("end", giveUp).on("close", giveUp);
}

/** Undefined as long as it can still be either. */
function protocolOf(bytes: Buffer): Protocol | undefined {
  const head = bytes.subarray(0, HTTP2_PREFACE.length);
  if (head.equals(HTTP2_PREFACE)) return "http2";
  return HTTP2_PREFACE.subarray(0, head.length).equals(head) ? undefined : "http1";
}
