import http from "node:http";
import http2 from "node:http2";
import type { Socket } from "node:net";
import type { Connection } from "./connection.ts";
import type { Handler } from "./exchange.ts";
import { toOriginForm } from "./request-target.ts";
import { createResetLimit } from "./reset-limit.ts";
import { trackSessions, UNTRUSTED_STREAMS } from "./sessions.ts";
import { sniff } from "./sniff.ts";

const KEEPALIVE_PROBE_MS = 30_000;
/** Longer than the idle time of common load balancers, so that they close first and never write to a closing socket. */
const KEEPALIVE_IDLE_MS = 75_000;
const MAX_RESETS = 10_000;
const STREAM_WINDOW = 256 * 1024;

export interface Protocols {
  /** HTTP/1.1 server, which must own a listening socket: Node enforces header and idle timeouts only then. */
  readonly http1: http.Server;
  /** Serves a connection by the protocol of its first bytes. `socket`: its own, or the decrypted one. */
  serve(connection: Connection, socket: Socket): void;
  /** Refuses new streams and closes connections that have sent nothing yet. */
  drain(): void;
  /** Closes all HTTP/2 sessions with an error. */
  cutOff(): void;
}

export interface ProtocolOptions {
  handler: Handler;
  /** Milliseconds that a peer may take to send its first bytes, and the headers of each request. */
  patienceMs: number;
  /** Milliseconds that an HTTP/1.1 request may take in all, its body included. */
  requestMs: number;
  refused(why: string, peer: string): void;
}

/**
 * Creates the servers of HTTP/2 (without TLS by prior knowledge) and HTTP/1.1, told apart by the first bytes of a
 * connection (`sniff.ts`). It opens no port: `serve` passes each socket to one of the two servers.
 */
export function createProtocols({ handler, patienceMs, requestMs, refused }: ProtocolOptions): Protocols {
  const connections = new WeakMap<Socket, Connection>();
  const silent = new Set<Socket>();
  const lingerBehind = createLinger(patienceMs);
  const limitResets = createResetLimit(refused);

  const http1 = http.createServer(
    {
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_PROBE_MS,
      keepAliveTimeout: KEEPALIVE_IDLE_MS,
      headersTimeout: patienceMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: Math.min(patienceMs, 5000),
    },
    (request, response) => {
      const connection = connections.get(request.socket);
      if (connection === undefined) return request.socket.destroy();
      // A connection with a running request is not idle when the server closes, but becomes idle after the response.
      response.once("close", () => http1.listening || http1.closeIdleConnections());
      lingerBehind(request);
      toOriginForm(request);
      return handler(request, response, connection);
    },
  );
  const serveHttp1 = http1.listeners("connection").map((listener) => listener.bind(http1));
  http1.removeAllListeners("connection");

  // Limits for authenticated clients: one may watch thousands of tasks over one connection and end all these streams at once;
  // with Node's limits (10 MB per session; 1,000 resets, then 33 per second) that would close the connection.
  const h2 = http2.createServer(
    {
      settings: { maxConcurrentStreams: UNTRUSTED_STREAMS, initialWindowSize: STREAM_WINDOW },
      maxSessionMemory: 256,
      streamResetBurst: MAX_RESETS,
      streamResetRate: 1000,
    },
    (request, response) => {
      const connection = sessions.connectionOf(response.stream.session);
      if (connection === undefined) return response.stream.close();
      limitResets(response.stream, connection);
      closeBehindAnswer(response.stream);
      return handler(request, response, connection);
    },
  );
  const sessions = trackSessions(h2, patienceMs);

  return {
    http1,
    serve(connection, socket) {
      silent.add(socket);
      sniff(socket, patienceMs, (protocol) => {
        silent.delete(socket);
        if (protocol === "http1" || protocol === "tls") {
          // A TLS handshake on a port without TLS goes to the HTTP/1.1 server, which answers 400.
          connections.set(socket, connection);
          for (const serve of serveHttp1) serve(socket);
        } else if (protocol === "http2") {
          // Sockets of an HTTP/1.1 server stay half open after the peer's end, which Node's HTTP/2 does not expect: a session
          // without a peer would stay, with all its streams, until something is sent to it.
          socket.allowHalfOpen = false;
          sessions.serve(connection, socket);
        }
      });
    },
    drain() {
      sessions.drain();
      for (const socket of silent) socket.destroy();
    },
    cutOff: () => sessions.cutOff(),
  };
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
 * Closes a stream after the response if the client has not ended its request (RFC 9113, section 8.1); otherwise the stream
 * would stay open. Node emits `wantTrailers` even without trailers, and drops them if the stream closes in the same turn.
 */
function closeBehindAnswer(stream: http2.ServerHttp2Stream): void {
  const close = () => stream.readableEnded || stream.close(http2.constants.NGHTTP2_NO_ERROR);
  stream.once("wantTrailers", () => setImmediate(close));
}
