import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, type TestContext, test } from "vitest";
import { findProgram } from "../../src/jobs/apps/find-program.ts";
import { startServer } from "../http/server.ts";
import { makeCertificate, type TestCertificate } from "../support/certificates.ts";

const TOKEN = "0123456789abcdef";
const METHOD = "signalman.v1.TaskService/GetTask";
const BUF = join(import.meta.dirname, "../../node_modules/.bin/buf");
let folder: string;
let certificate: TestCertificate;
/** A server whose port speaks TLS, and which has a unix socket beside it. */
let server: Awaited<ReturnType<typeof startServer>>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "signalman-tools-"));
  certificate = makeCertificate();
  server = await startServer({
    token: TOKEN,
    tasks: { getTask: ({ name }) => ({ task: { name } }) },
    keyPair: certificate,
    socketPath: () => join(folder, "a.sock"),
  });
});
afterAll(async () => {
  await server.stop();
  certificate[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

/** Runs a tool that prints a task as JSON. */
async function taskBy(context: TestContext, program: string, args: string[], advice: string) {
  const path = findProgram({ command: program }, process.env.PATH ?? "");
  if (path === undefined) return context.skip(`there is no ${program} on this machine: ${advice}`);
  const { stdout } = await promisify(execFile)(path, args);
  return JSON.parse(stdout) as unknown;
}

const DATA = '{"name":"x"}';
const HEADER = `authorization: Bearer ${TOKEN}`;
const TASK = { task: { name: "x" } };

describe("curl", () => {
  const json = ["-sS", "-H", "content-type: application/json", "-d", DATA];
  const byCurl = (context: TestContext, ...args: string[]) =>
    taskBy(context, "curl", [...json, ...args], "apt-get install curl");

  test("calls over TLS", async (context) => {
    const tls = ["--cacert", certificate.certFile, "-H", HEADER];
    expect(await byCurl(context, ...tls, `${server.url}/${METHOD}`)).toMatchObject(TASK);
  });

  test.for(["--http1.1", "--http2-prior-knowledge"])(
    "calls over the unix socket, %s",
    async (option, context) => {
      const socket = [option, "--unix-socket", `${server.port.socket}`];
      expect(await byCurl(context, ...socket, `http://localhost/${METHOD}`)).toMatchObject(TASK);
    },
  );
});

describe("grpcurl, by reflection alone", () => {
  const byGrpcurl = (context: TestContext, ...args: string[]) =>
    taskBy(context, "grpcurl", ["-d", DATA, ...args, METHOD], "tools/install-test-tools.sh installs it");

  test("calls over TLS", async (context) => {
    const tls = ["-cacert", certificate.certFile, "-H", HEADER, new URL(server.url).host];
    expect(await byGrpcurl(context, ...tls)).toMatchObject(TASK);
  });

  test("calls over the unix socket", async (context) => {
    expect(await byGrpcurl(context, "-plaintext", `unix:${server.port.socket}`)).toMatchObject(TASK);
  });
});

describe.each(["grpc", "grpcweb", "connect"])("buf curl over %s, by reflection alone", (protocol) => {
  const byBuf = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)(BUF, ["curl", "--protocol", protocol, "-d", DATA, ...args]);
    return JSON.parse(stdout) as unknown;
  };

  test("calls over TLS", async () => {
    const tls = ["--cacert", certificate.certFile, "-H", HEADER, "--reflect-header", HEADER];
    expect(await byBuf(...tls, `${server.url}/${METHOD}`)).toMatchObject(TASK);
  });

  test("calls over the unix socket", async () => {
    const socket = ["--http2-prior-knowledge", "--unix-socket", `${server.port.socket}`];
    expect(await byBuf(...socket, `http://localhost/${METHOD}`)).toMatchObject(TASK);
  });
});
