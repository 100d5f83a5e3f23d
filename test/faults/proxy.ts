import { once } from "node:events";
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";
import { socketOptions } from "../../src/embedded/socket-url.ts";

/** A proxy between a server and its PostgreSQL that simulates network faults. */
export interface CutProxy extends AsyncDisposable {
  /** URL of the same database through this proxy. */
  readonly url: string;
  /** Ends all connections and refuses new ones. */
  cut(): void;
  /** Drops all packets silently, those of new connections too. Dropped packets are never delivered. */
  freeze(): void;
  /** Freezes directly after the first packet to PostgreSQL that matches; resolves then. */
  freezeBehind(packet: RegExp): Promise<void>;
  /** New connections work again; frozen ones stay dead. */
  heal(): void;
  /** Leads new connections to another server. */
  lead(databaseUrl: string): void;
}

export async function openProxy(databaseUrl: string): Promise<CutProxy> {
  let target = databaseUrl;
  let state: "open" | "cut" | "frozen" = "open";
  let trap: { packet: RegExp; sprung: () => void } | undefined;
  const pairs = new Set<[Socket, Socket]>();

  const server = createServer((client) => {
    client.on("error", () => {});
    if (state === "cut") return client.destroy();
    if (state === "frozen") return client.pause();
    connect(client);
  });

  function connect(client: Socket): void {
    const upstream = createConnection(placeOf(target));
    const pair: [Socket, Socket] = [client, upstream];
    pairs.add(pair);
    client.setNoDelay().on("data", (data) => {
      upstream.write(data);
      if (!trap?.packet.test(data.toString("latin1"))) return;
      const { sprung } = trap;
      trap = undefined;
      freeze();
      sprung();
    });
    upstream.on("data", (data) => client.write(data)).on("error", () => {});
    for (const [one, other] of [pair, [upstream, client]] as const) {
      one.on("close", () => {
        pairs.delete(pair);
        other.destroy();
      });
    }
  }

  function freeze(): void {
    state = "frozen";
    for (const [client, upstream] of pairs) {
      for (const socket of [client, upstream])
        socket.removeAllListeners("data").removeAllListeners("close").pause();
    }
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(
    databaseUrl.replace(/@[^/]*\//, `@127.0.0.1:${(server.address() as AddressInfo).port}/`),
  );
  return {
    url: url.href,
    cut() {
      state = "cut";
      for (const [client, upstream] of pairs) for (const socket of [client, upstream]) socket.destroy();
    },
    freeze,
    freezeBehind: (packet) =>
      new Promise((sprung) => {
        trap = { packet, sprung };
      }),
    heal() {
      state = "open";
    },
    lead(other) {
      target = other;
    },
    async [Symbol.asyncDispose]() {
      for (const [client, upstream] of pairs) for (const socket of [client, upstream]) socket.destroy();
      server.close();
    },
  };
}

function placeOf(url: string) {
  const { hostname, port } = new URL(url);
  return socketOptions(url).path
    ? { path: socketOptions(url).path ?? "" }
    : { host: hostname, port: Number(port || 5432) };
}
