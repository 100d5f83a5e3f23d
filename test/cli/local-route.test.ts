import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { localSocketPath } from "../../src/access/local-socket.ts";
import { localRoute } from "../../src/cli/local-route.ts";
import { listenOnSocket } from "../../src/http/unix-socket.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "signalman-route-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const env = () => ({ XDG_RUNTIME_DIR: folder, HOME: folder });
const pathOf = (port: number) => localSocketPath({ host: "127.0.0.1", port }, env());
const open = () => listenOnSocket(pathOf(8480), (socket) => void socket.end());

test("the command line calls over TCP while there is no socket, and over the socket once there is one", async () => {
  const route = localRoute("127.0.0.1:8480", env());
  expect(route.dial()).toBeUndefined();
  expect(route.hasOpened()).toBe(false);
  const listener = await open();
  expect(route.hasOpened()).toBe(true);
  const socket = route.dial();
  await once(socket ?? fail(), "connect");
  expect(route.hasOpened()).toBe(false);
  socket?.destroy();
  await listener.close();
});

test("a socket that was used is not left for TCP, where another program may listen meanwhile", async () => {
  const listener = await open();
  const route = localRoute("localhost:8480", env());
  const socket = route.dial();
  await once(socket ?? fail(), "connect");
  socket?.destroy();
  await listener.close();
  const again = route.dial();
  const [error] = await once(again ?? fail(), "error").catch((thrown) => [thrown]);
  expect(error).toMatchObject({ code: "ENOENT" });
  const next = await open();
  const back = route.dial();
  await once(back ?? fail(), "connect");
  back?.destroy();
  await next.close();
});

test("a socket at which nothing listens is tried once, and again when it has been replaced", async () => {
  const listener = await open();
  const route = localRoute("127.0.0.1:8480", env());
  const dead = net.createServer();
  await listener.close();
  // When Node closes a server, it removes the server's original path, but not a path to which it was renamed.
  dead.listen(`${pathOf(8480)}.new`);
  await once(dead, "listening");
  renameSync(`${pathOf(8480)}.new`, pathOf(8480));
  dead.close();
  await once(dead, "close");
  const socket = route.dial();
  await once(socket ?? fail(), "error").catch(() => {});
  expect(route.dial()).toBeUndefined();
  const next = await open();
  const back = route.dial();
  await once(back ?? fail(), "connect");
  back?.destroy();
  await next.close();
});

test.each(["https://127.0.0.1:8480", "unix:/run/x.sock", "192.0.2.1:8480", "127.0.0.1:8481"])(
  "%s is not called over the socket of 127.0.0.1:8480",
  async (server) => {
    const listener = await open();
    expect(localRoute(server, env()).dial()).toBeUndefined();
    await listener.close();
  },
);

function fail(): never {
  throw new Error("no socket was dialed");
}
