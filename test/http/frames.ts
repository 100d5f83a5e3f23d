import net from "node:net";

/** HTTP/2 frames as bytes (RFC 9113), for input that no library would send. */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
export const TYPE = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  continuation: 9,
} as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;
const HEAD = 9;

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(HEAD);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Returns the same frame on another stream. */
export function onStream(piece: Buffer, stream: number): Buffer {
  const copy = Buffer.from(piece);
  copy.writeUInt32BE(stream, 5);
  return copy;
}

/** A POST to a path, by HPACK's static table and plain literals (RFC 7541). */
export function postTo(path: string, type = "application/grpc"): Buffer {
  const literal = (index: number, text: string) =>
    Buffer.concat([Buffer.from([0x40 | index, text.length]), Buffer.from(text)]);
  return Buffer.concat([
    Buffer.from([0x83, 0x86]),
    literal(4, path),
    literal(1, "localhost"),
    literal(31, type),
  ]);
}

export interface Peer extends Disposable {
  readonly socket: net.Socket;
  /** Returns the bytes received so far. */
  received(): Buffer;
  /** Resolves at the end of the connection. */
  readonly closed: Promise<void>;
  /** Writes bytes, and resolves when they were sent or the connection has ended. */
  write(bytes: Buffer): Promise<void>;
}

/** Opens a connection and sends the preface and settings, empty ones by default. */
export function openPeer(url: string, settings = frame(TYPE.settings, 0, 0)): Peer {
  const { hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk)).on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.write(Buffer.concat([PREFACE, settings]));
  return {
    socket,
    closed,
    received: () => Buffer.concat(chunks),
    write: (bytes) => Promise.race([closed, new Promise<void>((sent) => socket.write(bytes, () => sent()))]),
    [Symbol.dispose]: () => socket.destroy(),
  };
}

/** Returns how many frames of a type the bytes contain. */
export function countOf(bytes: Buffer, type: number): number {
  let count = 0;
  for (let at = 0; at + HEAD <= bytes.length; at += HEAD + bytes.readUIntBE(at, 3)) {
    if (bytes[at + 3] === type) count++;
  }
  return count;
}
