import { Agent } from "node:http";
import type { Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";

export interface Connections extends Disposable {
  /** Transports by the names of their protocols. */
  readonly transports: Readonly<Record<string, Transport>>;
  /** Connections of HTTP/1.1. */
  readonly agent: Agent;
}

export const isJson = (protocol: string): boolean => protocol.endsWith("JSON");

/** Opens connections for every protocol, as binary and as JSON, over HTTP/2 and HTTP/1.1. Disposing closes all of them. */
export function connect(baseUrl: string): Connections {
  const sessions = [new Http2SessionManager(baseUrl), new Http2SessionManager(baseUrl)] as const;
  const agent = new Agent({ keepAlive: true });
  const http2 = (n: 0 | 1) => ({ baseUrl, httpVersion: "2" as const, sessionManager: sessions[n] });
  const http1 = { baseUrl, httpVersion: "1.1" as const, nodeOptions: { agent } };
  const json = { useBinaryFormat: false };
  return {
    agent,
    transports: {
      gRPC: createGrpcTransport(http2(0)),
      "gRPC with JSON": createGrpcTransport({ ...http2(0), ...json }),
      Connect: createConnectTransport(http2(1)),
      "Connect with JSON": createConnectTransport({ ...http1, ...json }),
      "gRPC-Web": createGrpcWebTransport(http1),
      "gRPC-Web with JSON": createGrpcWebTransport({ ...http2(1), ...json }),
    },
    [Symbol.dispose]() {
      for (const session of sessions) session.abort();
      agent.destroy();
    },
  };
}
