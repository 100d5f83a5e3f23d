import { Agent } from "node:http";
import type { Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";

export interface Connections extends Disposable {
  readonly transports: readonly Transport[];
}

/** gRPC and Connect over HTTP/2, gRPC-Web over HTTP/1.1; disposed, nothing of them is left. */
export function connect(baseUrl: string): Connections {
  const sessions = [new Http2SessionManager(baseUrl), new Http2SessionManager(baseUrl)] as const;
  const agent = new Agent({ keepAlive: true });
  return {
    transports: [
      createGrpcTransport({ baseUrl, sessionManager: sessions[0] }),
      createConnectTransport({ baseUrl, httpVersion: "2", sessionManager: sessions[1] }),
      createGrpcWebTransport({ baseUrl, httpVersion: "1.1", nodeOptions: { agent } }),
    ],
    [Symbol.dispose]() {
      for (const session of sessions) session.abort();
      agent.destroy();
    },
  };
}
