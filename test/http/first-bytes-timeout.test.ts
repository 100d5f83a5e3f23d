import { once } from "node:events";
import net from "node:net";
import { expect, test } from "vitest";
import { type Protocol, sniff } from "../../src/http/sniff.ts";
import { countOf, frame, openPeer, TYPE } from "./frames.ts";
import { startServer } from "./server.ts";
import { standStill } from "./stand-still.ts";

const PATIENCE_MS = 20;

test("first bytes that arrived in time count, even if the server looks at them late", async () => {
  const decided = Promise.withResolvers<Protocol | undefined>();
  await using server = net.createServer((socket) => {
    sniff(socket, PATIENCE_MS, (protocol) => {
      decided.resolve(protocol);
      socket.destroy();
    });
    client.write("GET / HTTP/1.1\r\n");
    standStill(5 * PATIENCE_MS);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1").on("error", () => {});
  expect(await decided.promise).toBe("http1");
});

test("HTTP/2 SETTINGS that arrived in time count, even if the server looks at them late", async () => {
  await using server = await startServer({ patienceMs: PATIENCE_MS });
  using peer = openPeer(server.url, Buffer.alloc(0));
  await once(peer.socket, "data");
  peer.socket.write(frame(TYPE.settings, 0, 0));
  standStill(5 * PATIENCE_MS);
  await peer.write(frame(TYPE.ping, 0, 0, Buffer.alloc(8)));
  while (countOf(peer.received(), TYPE.ping) === 0) await once(peer.socket, "data");
});
