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
  /** 0: any free one. */
  port: number;
  /** Serves HTTP/1.1 and HTTP/2 requests alike. */
  handler: Handler;
  /** How long a peer may take to say what it wants, in milliseconds. */
  patienceMs?: number;
}

export interface Port {
  /** Host and port as bound. */
  readonly address: { host: string; port: number };
  /** `http://host:port` */
  readonly url: string;
  /**
   * Takes no new connections and no new streams, lets what runs end, and after `graceMs` cuts off what is left.
   * Does not end streams by itself: abort their handlers first.
   */
  close(graceMs: number): Promise<void>;
}

const PATIENCE_MS = 10_000;
const KEEPALIVE_PROBE_MS = 30_000;
/** Longer than the idle time of usual load balancers, so that they close first and never write into a closing socket. */
const KEEPALIVE_IDLE_MS = 75_000;
const MAX_STREAMS = 10_000;
const STREAM_WINDOW = 256 * 1024;

/**
 * Opens the one plaintext port: gRPC and everything else over HTTP/2 without TLS (prior knowledge), gRPC-Web, Connect
 * and JSON over HTTP/1.1. A connection is told apart by its first bytes.
 *
 * The HTTP/1.1 server owns the listening socket: Node watches over header timeouts and idle connections only for a
 * server that listens by itself. Its own connection listener is then called for the sockets that turn out to be its.
 * @throws ListenError
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
    socket.on("error", () => {}); // a peer that resets; whoever serves the socket hears it too
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
      // A connection with a request under way is not idle when the server closes; it is once it has been answered.
      response.once("close", () => server.listening || server.closeIdleConnections());
      lingerBehind(request);
      toOriginForm(request);
      handler(request, response);
    },
  );
  return server;
}

/**
 * A peer that wants the connection closed and still sends when it is answered would get a reset, and lose the answer by
 * that (RFC 9112, section 9.6): what it sends is thrown away, until it closes or is silent for too long.
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
 * Streams are cheap here, and one client may watch thousands of tasks over one connection and drop them all at once:
 * Node's own limits (10 MB a session; 1,000 resets, then 33 a second) end the connection then.
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
 * Whoever has the answer and does not end the request is told to stop (RFC 9113, section 8.1): the stream would stay open.
 * Node asks for trailers also where there are none, and drops them if the stream is closed in the same turn.
 */
function closeBehindAnswer(stream: http2.ServerHttp2Stream): void {
  const close = () => stream.readableEnded || stream.close(http2.constants.NGHTTP2_NO_ERROR);
  stream.once("wantTrailers", () => setImmediate(close));
}

/**
 * Sockets of an HTTP/1.1 server stay half open when their peer has said its last word. Node's HTTP/2 does not reckon with
 * that: a session whose peer is gone would stay, with all its streams, until something is sent to it.
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
