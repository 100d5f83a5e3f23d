import type { Socket } from "node:net";
import { createServer } from "node:tls";
import type { Connection } from "./connection.ts";
import { authority } from "./listen-error.ts";
import { sniff } from "./sniff.ts";

/** Certificate chain and private key, as PEM. */
export interface KeyPair {
  cert: Buffer;
  key: Buffer;
}

export interface TlsTermination {
  /** Makes the handshake and passes on the decrypted socket. Destroys the socket if the handshake fails or takes too long. */
  accept(connection: Connection, ready: (decrypted: Socket) => void): void;
  /** Uses another pair for new connections; open ones keep theirs. @throws Error if it cannot be used */
  use(pair: KeyPair): void;
  /** Closes connections whose handshake is not complete. */
  drain(): void;
}

/** Answer to a peer without TLS, in plain HTTP/1.1. */
const HINT = "This port speaks TLS: call it by https://\n";
const PLAIN_ANSWER =
  "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n" +
  `content-length: ${HINT.length}\r\n\r\n${HINT}`;

/** Creates the TLS side of the port. ALPN chooses between HTTP/2 and HTTP/1.1. */
export function terminateTls(
  pair: KeyPair,
  patienceMs: number,
  refused: (why: string, peer: string) => void,
): TlsTermination {
  const server = createServer({
    ...pair,
    ALPNProtocols: ["h2", "http/1.1"],
    handshakeTimeout: patienceMs,
  });
  // Handshakes by the peer's address and port: Node passes on a decrypted socket without the connection that it came from.
  const handshakes = new Map<string, { connection: Connection; ready: (decrypted: Socket) => void }>();
  const nameOf = ({ remoteAddress = "", remotePort = 0 }: Socket) => authority(remoteAddress, remotePort);
  server.on("secureConnection", (socket) => {
    const found = handshakes.get(nameOf(socket));
    if (found === undefined) return socket.destroy();
    handshakes.delete(found.connection.name);
    socket.on("error", () => {}); // a reset by the peer; the server of the socket handles it too
    return found.ready(socket);
  });
  server.on("tlsClientError", (_error, socket) => {
    const found = handshakes.get(nameOf(socket));
    if (found) refused("TLS handshake failed", found.connection.name);
    found?.connection.socket.destroy();
  });
  return {
    accept(connection, ready) {
      const { socket, name } = connection;
      handshakes.set(name, { connection, ready });
      socket.once("close", () => handshakes.delete(name));
      sniff(socket, patienceMs, (protocol) => {
        if (protocol === "tls") server.emit("connection", socket);
        else if (protocol !== undefined) refusePlain(socket);
      });
    },
    use: (next) => server.setSecureContext(next),
    drain() {
      for (const { connection } of handshakes.values()) connection.socket.destroy();
    },
  };

  function refusePlain(socket: Socket): void {
    refused("no TLS", nameOf(socket));
    socket.setTimeout(patienceMs, () => socket.destroy());
    socket.end(PLAIN_ANSWER, () => socket.destroy());
  }
}
