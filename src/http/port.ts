import { once } from "node:events";
import type http from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { CONNECTION_LIMITS, type ConnectionLimits, trackConnections } from "./connections.ts";
import type { Handler } from "./exchange.ts";
import { authority, listenError } from "./listen-error.ts";
import { createProtocols } from "./protocols.ts";
import { type KeyPair, terminateTls } from "./tls.ts";
import { listenOnSocket, type SocketListener } from "./unix-socket.ts";

export interface ListenOptions {
  host: string;
  /** Port number; 0: any free one. */
  port: number;
  /** Handles requests of HTTP/1.1 and HTTP/2. */
  handler: Handler;
  /** Milliseconds that a peer may take to send its first bytes, and the headers of each request. */
  patienceMs?: number;
  limits?: Partial<ConnectionLimits>;
  /** Certificate and key with which the port speaks TLS. Default: no TLS. The unix socket never has it. */
  keyPair?: KeyPair;
  /** Path of a unix socket for this user's programs, by the address of the port. Default: none. */
  socketPath?: (address: Port["address"]) => string;
  /** Called if the unix socket cannot be opened; the port is then open without it. */
  withoutSocket?: (error: Error) => void;
  /** Called for each connection that is refused or closed because of a limit. */
  refused?: (why: string, peer: string) => void;
}

export interface Port {
  /** Host and port on which the server listens. */
  readonly address: { host: string; port: number };
  /** URL of the port: `http://host:port`, or `https://host:port` with TLS. */
  readonly url: string;
  /** Path of the unix socket, if there is one. */
  readonly socket: string | undefined;
  /** Uses another certificate and key for new connections. @throws Error if they cannot be used */
  useKeyPair(pair: KeyPair): void;
  /**
   * Accepts no new connections and streams, waits for the running ones, and closes those that are left after `graceMs`
   * milliseconds. Does not end streams itself: the caller aborts their handlers first. Resolves when all are closed.
   */
  close(graceMs: number): Promise<void>;
}

const PATIENCE_MS = 10_000;
/** Longer than the time limit of a body, after which the caller gets an error instead of a closed connection. */
const REQUEST_MS = 75_000;

/**
 * Opens the server's one port for all protocols, and beside it a unix socket for programs of the server's user.
 *
 * `connections.ts` limits connections, `tls.ts` decrypts them, `protocols.ts` tells HTTP/2 from HTTP/1.1. A request then goes
 * through `handler.ts` (CORS, pages, services) and `rpc-handler.ts`, which finds the RPC, has the caller authenticated from the headers, and opens
 * the call; Connect, which speaks gRPC, gRPC-Web, Connect and JSON, reads the body (`body.ts` limits its time) and calls the
 * interceptors of rpc/. `send.ts` writes the response at the reader's pace; `zero-copy.ts` sends encoded log lines without
 * copying them for each watcher.
 * The room guarantees that every error has an ErrorInfo, also if Connect refuses the request before any interceptor runs
 * (`early-error.ts`, `refusals.ts`), that slow, silent and flooding peers cost no other client anything, and that a shutdown
 * ends each call with UNAVAILABLE. Who a caller is, is decided by access/, the meaning of calls by rpc/.
 *
 * @throws ListenError if the port cannot be opened.
 */
export async function listen(options: ListenOptions): Promise<Port> {
  const { handler, patienceMs = PATIENCE_MS, refused = () => {}, withoutSocket = () => {} } = options;
  const connections = trackConnections({ ...CONNECTION_LIMITS, ...options.limits }, refused);
  const protocols = createProtocols({ handler, patienceMs, requestMs: REQUEST_MS, refused });
  const server = protocols.http1;
  const tls = options.keyPair && terminateTls(options.keyPair, patienceMs, refused);
  const accept = (socket: Socket, isLocal: boolean): void => {
    socket.on("error", () => {}); // a reset by the peer; the server of the socket handles it too
    const peer = isLocal
      ? { kind: "socket" as const }
      : { kind: "network" as const, address: socket.remoteAddress ?? "" };
    const connection = connections.admit(socket, peer);
    if (connection === undefined) return;
    if (tls && !isLocal) tls.accept(connection, (decrypted) => protocols.serve(connection, decrypted));
    else protocols.serve(connection, socket);
  };
  server.on("connection", (socket: Socket) => accept(socket, false));
  const address = await bind(server, options.host, options.port);
  // Opened after the port: two servers cannot hold the same port, and the socket's path is named after it, so no other
  // server uses the path.
  const socket = await openSocket(
    options.socketPath?.(address),
    (opened) => accept(opened, true),
    withoutSocket,
  );
  let closing: Promise<void> | undefined;
  const close = async (graceMs: number): Promise<void> => {
    // closed while the port is still held: afterwards the next server may use the path
    const socketClosed = socket?.close();
    tls?.drain();
    protocols.drain();
    const timer = setTimeout(() => {
      protocols.cutOff();
      setImmediate(() => connections.destroyAll());
    }, graceMs);
    await Promise.all([closed(server), socketClosed]);
    clearTimeout(timer);
  };
  return {
    address,
    url: `${tls ? "https" : "http"}://${authority(address.host, address.port)}`,
    socket: socket?.path,
    useKeyPair: (pair) => tls?.use(pair),
    close: (graceMs) => (closing ??= close(graceMs)),
  };
}

async function bind(server: http.Server, host: string, port: number): Promise<Port["address"]> {
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (cause) {
    throw listenError(host, port, cause);
  }
  const { address, port: bound } = server.address() as AddressInfo;
  return { host: address, port: bound };
}

async function openSocket(
  path: string | undefined,
  accept: (socket: Socket) => void,
  withoutSocket: (error: Error) => void,
): Promise<SocketListener | undefined> {
  if (path === undefined) return undefined;
  try {
    return await listenOnSocket(path, accept);
  } catch (error) {
    withoutSocket(error as Error);
    return undefined;
  }
}

async function closed(server: http.Server): Promise<void> {
  const over = once(server, "close");
  server.close();
  await over;
}
