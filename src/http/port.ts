import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { authority, listenError } from "./listen-error.ts";
import { toOriginForm } from "./request-target.ts";
import { trackSessions } from "./sessions.ts";
import { sniff } from "./sniff.ts";

export type HttpRequest = http.IncomingMessage | http2.Http2ServerRequest;
export type HttpResponse = http.ServerResponse | http2.Http2ServerResponse;
export type Handler = (request: HttpRequest, response: HttpResponse) => void;

export interface ListenOptions {
  host: string;
  /** Port number; 0: any free one. */
  port: number;
  /** Handles requests of HTTP/1.1 and HTTP/2. */
  handler: Handler;
  /** Milliseconds that a peer may take to send its first bytes, and the headers of each request. */
  patienceMs?: number;
}

export interface Port {
  /** Host and port on which the server listens. */
  readonly address: { host: string; port: number };
  /** URL of the port: `http://host:port`. */
  readonly url: string;
  /**
   * Accepts no new connections and streams, waits for the running ones, and closes those that are left after `graceMs`
   * milliseconds. Does not end streams itself: the caller aborts their handlers first. Resolves when all are closed.
   */
  close(graceMs: number): Promise<void>;
}

const PATIENCE_MS = 10_000;
const KEEPALIVE_PROBE_MS = 30_000;
/** Longer than the idle time of common load balancers, so that they close first and never write to a closing socket. */
const KEEPALIVE_IDLE_MS = 75_000;
const MAX_STREAMS = 10_000;
const STREAM_WINDOW = 256 * 1024;

/**
 * Opens the server's one port, plaintext for all protocols: HTTP/2 without TLS (prior knowledge) and HTTP/1.1, told apart by
 * the first bytes of a connection (`sniff.ts`).
 *
 * A request then goes through `handler.ts` (CORS, pages, services), `rpc-handler.ts` (finds the RPC, opens the call),
 * Connect, which speaks gRPC, gRPC-Web, Connect and JSON, and the interceptors of rpc/. `send.ts` writes the response at the
 * reader's pace; `zero-copy.ts` sends encoded log lines without copying them for each watcher.
 * The room guarantees that every error has an ErrorInfo, also if Connect refuses the request before any interceptor runs
 * (`early-error.ts`, `refusals.ts`), that slow, silent and flooding peers cost no other client anything, and that a shutdown
 * ends each call with UNAVAILABLE. TLS is left to a proxy, the meaning of calls to rpc/.
 *
 * The HTTP/1.1 server owns the listening socket, since Node enforces header and idle timeouts only for a server that listens
 * itself. Its own connection listener is called for sockets that turn out to be HTTP/1.1.
 * @throws ListenError if the port cannot be opened.
 */
export async function listen(options: ListenOptions): Promise<Port> {
  const patienceMs = options.patienceMs ?? PATIENCE_MS;
  const server = http1Server(options.handler, patienceMs);
  const h2 = http2Server(options.handler);
  const sessions = trackSessions(h2, patienceMs);
  const sockets = new Set<Socket>();
  const silent = new Set<Socket>();
  const serveHttp1 = server.listeners("connection").map((listener) => listener.bind(server));
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => {}); // a reset by the peer; the server of the socket handles it too
    silent.add(socket);
    sniff(socket, patienceMs, (protocol) => {
      silent.delete(socket);
      if (protocol === "http2") serveHttp2(h2, socket);
      else if (protocol === "http1") for (const serve of serveHttp1) serve(socket);
    });
  });
  await bind(server, options.host, options.port);
  return openPort(server, async (graceMs) => {
    sessions.drain();
    destroyAll(silent);
    await closed(server, graceMs, () => {
      sessions.cutOff();
      setImmediate(destroyAll, sockets);
    });
  });
}

function http1Server(handler: Handler, patienceMs: number): http.Server {
  const lingerBehind = createLinger(patienceMs);
  const server = http.createServer(
    {
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_PROBE_MS,
      keepAliveTimeout: KEEPALIVE_IDLE_MS,
      headersTimeout: patienceMs,
      connectionsCheckingInterval: Math.min(patienceMs, 5000),
    },
    (request, response) => {
      // A connection with a running request is not idle when the server closes, but becomes idle after the response.
      response.once("close", () => server.listening || server.closeIdleConnections());
      lingerBehind(request);
      toOriginForm(request);
      handler(request, response);
    },
  );
  return server;
}

/**
 * Returns a function that prepares the socket of a request for a lingering close. If the server closed a connection while the
 * peer still sends, the peer would get a reset and lose the response (RFC 9112, section 9.6). Further bytes are discarded
 * instead, until the peer closes or is silent for `patienceMs` milliseconds.
 */
function createLinger(patienceMs: number): (request: http.IncomingMessage) => void {
  const newest = new WeakMap<Socket, http.IncomingMessage>();
  return (request) => {
    const { socket } = request;
    const isPrepared = newest.has(socket);
    newest.set(socket, request);
    if (isPrepared) return;
    const close = socket.destroySoon;
    socket.destroySoon = () => {
      if (newest.get(socket)?.complete) return close.call(socket);
      socket.end();
      socket.setTimeout(patienceMs, () => socket.destroy());
    };
  };
}

/**
 * Creates the HTTP/2 server with raised limits. One client may watch thousands of tasks over one connection and end all these
 * streams at once; with Node's limits (10 MB per session; 1,000 resets, then 33 per second) that would close the connection.
 */
function http2Server(handler: Handler): http2.Http2Server {
  return http2.createServer(
    {
      settings: { maxConcurrentStreams: MAX_STREAMS, initialWindowSize: STREAM_WINDOW },
      maxSessionMemory: 256,
      streamResetBurst: MAX_STREAMS,
      streamResetRate: 1000,
    },
    (request, response) => {
      closeBehindAnswer(response.stream);
      handler(request, response);
    },
  );
}

/**
 * Closes a stream after the response if the client has not ended its request (RFC 9113, section 8.1); otherwise the stream
 * would stay open. Node emits `wantTrailers` even without trailers, and drops them if the stream closes in the same turn.
 */
function closeBehindAnswer(stream: http2.ServerHttp2Stream): void {
  const close = () => stream.readableEnded || stream.close(http2.constants.NGHTTP2_NO_ERROR);
  stream.once("wantTrailers", () => setImmediate(close));
}

/**
 * Passes a socket to the HTTP/2 server. Sockets of an HTTP/1.1 server stay half open after the peer's end, which Node's HTTP/2
 * does not expect: a session without a peer would stay, with all its streams, until something is sent to it.
 */
function serveHttp2(server: http2.Http2Server, socket: Socket): void {
  socket.allowHalfOpen = false;
  server.emit("connection", socket);
}

async function bind(server: http.Server, host: string, port: number): Promise<void> {
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (cause) {
    throw listenError(host, port, cause);
  }
}

function openPort(server: http.Server, close: Port["close"]): Port {
  const { address: host, port } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  return {
    address: { host, port },
    url: `http://${authority(host, port)}`,
    close: (graceMs) => (closing ??= close(graceMs)),
  };
}

async function closed(server: http.Server, graceMs: number, cutOff: () => void): Promise<void> {
  const over = once(server, "close");
  server.close();
  const timer = setTimeout(cutOff, graceMs);
  await over;
  clearTimeout(timer);
}

function destroyAll(sockets: Set<Socket>): void {
  for (const socket of sockets) socket.destroy();
}
