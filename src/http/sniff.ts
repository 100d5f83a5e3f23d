import type { Socket } from "node:net";
import { startFirstBytesTimeout } from "../async/first-bytes-timeout.ts";

const HTTP2_PREFACE = Buffer.from("PRI"); // RFC 9113, section 3.4; no method of HTTP/1.1 begins like this

/** First byte of a TLS record that holds a handshake (RFC 8446, section 5.1). */
const TLS_HANDSHAKE = 0x16;

export type Protocol = "http1" | "http2" | "tls";

/**
 * Detects the protocol of a new connection by its first bytes, which it puts back, and calls `decided` once. undefined: the
 * peer sent nothing for `patienceMs` milliseconds or closed, and the socket is destroyed.
 *
 * It reads on `readable`, since `data` would start the flow, and bytes before the next listener would be lost.
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

/** Returns the protocol; undefined: more bytes are needed. */
function protocolOf(bytes: Buffer): Protocol | undefined {
  if (bytes[0] === TLS_HANDSHAKE) return "tls";
  const head = bytes.subarray(0, HTTP2_PREFACE.length);
  if (head.equals(HTTP2_PREFACE)) return "http2";
  return HTTP2_PREFACE.subarray(0, head.length).equals(head) ? undefined : "http1";
}
