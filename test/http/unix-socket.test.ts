import { execFile } from "node:child_process";
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findLocalSockets, localSocketPath } from "../../src/access/local-socket.ts";
import { connectSignalman } from "../../src/client/connect.ts";
import { shortSocketPath } from "../../src/files/socket-path.ts";
import { listenOnSocket } from "../../src/http/unix-socket.ts";
import { grpcJsClient } from "./clients.ts";
import { startServer } from "./server.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "signalman-socket-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const ADDRESS = { host: "127.0.0.1", port: 8480 };
const env = () => ({ XDG_RUNTIME_DIR: folder, HOME: join(folder, "home") });
const getTask = ({ name }: { name: string }) => ({ task: { name } });
const start = () =>
  startServer({
    token: "0123456789abcdef",
    tasks: { getTask },
    socketPath: (at) => localSocketPath(at, env()),
  });

/** Listens at the path in a process that is killed, as a crashed server leaves its socket. */
async function leaveBehind(path: string): Promise<void> {
  mkdirSync(join(path, ".."), { recursive: true, mode: 0o700 });
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  await promisify(execFile)(process.execPath, ["-e", script]).catch(() => {});
  expect(lstatSync(path).isSocket()).toBe(true);
}

test("only the user can open the socket, and it is removed with the server", async () => {
  const server = await start();
  const path = server.port.socket ?? "";
  expect(lstatSync(path).mode & 0o777).toBe(0o600);
  expect(lstatSync(join(folder, "signalman")).mode & 0o777).toBe(0o700);
  await server.stop();
  expect(readdirSync(join(folder, "signalman"))).toEqual([]);
});

test("callers without a token are root, and callers with a wrong token are refused", async () => {
  await using server = await start();
  using own = connectSignalman({ server: `unix:${server.port.socket}` });
  expect((await own.tasks.getTask({ name: "x" })).task?.name).toBe("x");
  using wrong = connectSignalman({ server: `unix:${server.port.socket}`, token: "fedcba9876543210" });
  await expect(wrong.tasks.getTask({ name: "x" })).rejects.toThrow("is not the token of this server");
  using network = connectSignalman({ server: server.url });
  await expect(network.tasks.getTask({ name: "x" })).rejects.toThrow("is missing");
});

test("grpc-js and curl reach the server over the socket, whatever host they name", async () => {
  await using server = await start();
  const client = grpcJsClient(`unix:${server.port.socket}`);
  const answer = await promisify(client.getTask).call(client, { name: "x" });
  client.close();
  expect(answer).toMatchObject({ task: { name: "x" } });
  for (const host of ["localhost", "%2Frun%2Fsignalman.sock", "evil.example"]) {
    const body = await new Promise<string>((resolve, reject) => {
      const request = http.request(
        {
          socketPath: server.port.socket,
          method: "POST",
          path: "/signalman.v1.TaskService/GetTask",
          headers: { host, "content-type": "application/json" },
        },
        async (response) => resolve((await response.toArray()).join("")),
      );
      request.on("error", reject).end('{"name":"x"}');
    });
    expect(JSON.parse(body)).toMatchObject({ task: { name: "x" } });
  }
});

test("a socket that a crashed server left is replaced", async () => {
  const path = localSocketPath(ADDRESS, env());
  await leaveBehind(path);
  const listener = await listenOnSocket(path, (socket) => void socket.end("new"));
  const chunks = await net.connect(path).toArray();
  expect(chunks.join("")).toBe("new");
  await listener.close();
  expect(readdirSync(join(path, ".."))).toEqual([]);
});

test("a socket on which a server listens is refused to others, and no server removes another's path", async () => {
  const path = localSocketPath(ADDRESS, env());
  const first = await listenOnSocket(path, (socket) => void socket.end());
  await expect(listenOnSocket(path, () => {})).rejects.toThrow(
    `Cannot listen on ${path}: another server listens there; stop it, or choose another port`,
  );
  rmSync(path);
  const second = await listenOnSocket(path, (socket) => void socket.end("second"));
  await first.close();
  expect((await net.connect(path).toArray()).join("")).toBe("second");
  await second.close();
});

test("a socket may have a path of any length", async () => {
  const path = join(folder, "x".repeat(200), "signalman", "a.sock");
  const listener = await listenOnSocket(path, (socket) => void socket.end("long"));
  using short = shortSocketPath(path);
  expect((await net.connect(short.path).toArray()).join("")).toBe("long");
  await listener.close();
});

test("a server that cannot create the folder of its socket listens on its port alone", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  const told: string[] = [];
  await using server = await startServer({
    socketPath: () => join(file, "a.sock"),
    withoutSocket: (error) => void told.push(error.message),
  });
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  expect(told).toEqual([expect.stringMatching(/EEXIST|ENOTDIR/)]);
});

test("the command line finds the socket under every name of the machine, but not in a folder that others can write", async () => {
  const listeners = await Promise.all(
    [ADDRESS, { host: "0.0.0.0", port: 8481 }, { host: "::1", port: 8482 }].map((at) =>
      listenOnSocket(localSocketPath(at, env()), (socket) => void socket.end()),
    ),
  );
  const find = (host: string, port: number) => findLocalSockets(host, port, env());
  expect(find("127.0.0.1", 8480)).toEqual([listeners[0]?.path]);
  expect(find("localhost", 8480)).toEqual([listeners[0]?.path]);
  expect(find("127.0.0.1", 8481)).toEqual([listeners[1]?.path]);
  expect(find("[::1]", 8482)).toEqual([listeners[2]?.path]);
  expect(find("192.0.2.1", 8480)).toEqual([]);
  expect(find("192.0.2.1", 8481)).toEqual([]);
  chmodSync(join(folder, "signalman"), 0o777);
  expect(find("127.0.0.1", 8480)).toEqual([]);
  for (const listener of listeners) await listener.close();
});
