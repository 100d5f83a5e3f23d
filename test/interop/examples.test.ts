import { createHash, X509Certificate } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rename, rm, stat } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, type TestContext, test } from "vitest";
import { findProgram } from "../../src/jobs/apps/find-program.ts";
import { startProgram } from "../cli/cli.ts";
import { makeCertificate, type TestCertificate } from "../support/certificates.ts";
import { applyDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { startBrowser } from "./browser.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const EXAMPLES = join(ROOT, "examples/clients");
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "signalman-tests");
const BIN = join(ROOT, "node_modules/.bin");
const TOKEN = "0123456789abcdef";
/** Packages are fetched and compiled at the first time. */
const FIRST_TIME = 600_000;

let service: TestService;
let server: string;
/** A server of the same database with TLS. */
let encrypted: TestService;
let certificate: TestCertificate;
/** Ways to the same tasks, by the variables that the examples read. Callers over the unix socket need no token. */
let ways: Record<"port" | "socket" | "tls", Record<string, string>>;
let expected: string;

beforeAll(async () => {
  service = await startService({ env: { SIGNALMAN_ALLOWED_ORIGINS: "*", SIGNALMAN_TOKEN: TOKEN } });
  server = new URL(service.url).host;
  certificate = makeCertificate();
  encrypted = await startService({
    databaseUrl: service.databaseUrl,
    env: {
      ...{ SIGNALMAN_ALLOWED_ORIGINS: "*", SIGNALMAN_TOKEN: TOKEN },
      ...{ SIGNALMAN_TLS_CERT: certificate.certFile, SIGNALMAN_TLS_KEY: certificate.keyFile },
    },
  });
  ways = {
    port: { SIGNALMAN_SERVER: server, SIGNALMAN_TOKEN: TOKEN },
    socket: { SIGNALMAN_SERVER: `unix:${service.dataDir}/signalman/${server}.sock` },
    tls: {
      ...{ SIGNALMAN_SERVER: new URL(encrypted.url).host, SIGNALMAN_TOKEN: TOKEN },
      SIGNALMAN_CA_FILE: certificate.certFile,
    },
  };
  await applyDemo(service, { hello: "echo 'Hello, Größe 🚀'; seq 1 2000; exit 3" });
  expected = await linesOf([process.execPath, join(ROOT, "examples/watch.ts"), "demo/hello"]);
});
afterAll(async () => {
  await encrypted[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
  certificate[Symbol.dispose]();
});

/** Whole output of these clients for a template that does not exist. */
const UNKNOWN = "There is no projects/demo/templates/none\n";
async function complaintOf(command: string[]): Promise<string> {
  const run = startProgram(command, { server, env: { SIGNALMAN_TOKEN: TOKEN } });
  expect(await run.ended).toBe(1);
  return run.stderr.toString();
}

async function linesOf(command: string[], env: Record<string, string> = ways.port): Promise<string> {
  const run = startProgram(command, { env });
  expect(await run.ended, run.stderr).toBe(0);
  return run.stdout.toString();
}

/** Expects that a client prints the same lines over the port, over the unix socket and over TLS. */
async function expectSameLines(command: string[]): Promise<void> {
  for (const [way, env] of Object.entries(ways)) expect(await linesOf(command, env), way).toBe(expected);
}

/** Runs a step that needs packages from registries; skips the test with the reason if they cannot be fetched. */
async function fetched(context: TestContext, command: string[], env: Record<string, string> = {}) {
  const run = startProgram(command, { env });
  if ((await run.ended) === 0) return;
  context.skip(`${command.slice(0, 4).join(" ")} failed: ${run.stderr.trim().split("\n").at(-1)}`);
}

async function programOr(context: TestContext, ...names: [string, string?]): Promise<string> {
  const path = findProgram({ command: names[0], otherwise: names[1] }, process.env.PATH ?? "");
  return path ?? context.skip(`there is no ${names[0]} on this machine`);
}

test("`signalman watch`, the reference of comparison, prints the task's lines and its exit code", () => {
  expect(expected).toContain("Hello, Größe 🚀\n1\n2\n");
  expect(expected).toMatch(/\n2000\n(.*\n)*exit code 3\n$/);
});

test("a 15-line client in grpc-js prints the same lines", async () => {
  const watch = join(ROOT, "examples/watch-grpc.mjs");
  await expectSameLines([process.execPath, watch, "demo/hello"]);
  const env = { SIGNALMAN_TOKEN: TOKEN };
  const unknown = startProgram([process.execPath, watch, "demo/none"], { server, env });
  expect(await unknown.ended).toBe(1);
  expect(unknown.stderr.toString()).toContain(UNKNOWN.trim());
});

describe("examples/clients/python", () => {
  test("a 15-line client in Python prints the same lines", { timeout: FIRST_TIME }, async (context) => {
    const python = await programOr(context, "python3");
    const environment = await pythonEnvironment(context, python);
    const watch = join(EXAMPLES, "python/watch.py");
    const command = [join(environment, "bin/python"), watch, "demo/hello"];
    await expectSameLines(command);
    expect(await complaintOf([join(environment, "bin/python"), watch, "demo/none"])).toBe(UNKNOWN);
  });
});

/** The example's virtual environment, made once for each state of its requirements. */
async function pythonEnvironment(context: TestContext, python: string): Promise<string> {
  const requirements = join(EXAMPLES, "python/requirements.txt");
  const key = createHash("sha256")
    .update(`${python}\n${await readFile(requirements, "utf8")}`)
    .digest("hex");
  const folder = join(CACHE, `python-${key.slice(0, 16)}`);
  if (await stat(folder).catch(() => undefined)) return folder;
  await mkdir(CACHE, { recursive: true });
  const fresh = await mkdtemp(join(CACHE, "new-"));
  await fetched(context, [python, "-m", "venv", fresh]);
  await fetched(context, [join(fresh, "bin/python"), "-m", "pip", "install", "--quiet", "-r", requirements]);
  // Another run may have installed it meanwhile.
  await rename(fresh, folder).catch(() => rm(fresh, { recursive: true, force: true }));
  return folder;
}

describe("examples/clients/go", () => {
  test("a 15-line client in Go prints the same lines", { timeout: FIRST_TIME }, async (context) => {
    const go = await programOr(context, "go");
    const folder = await mkdtemp(join(tmpdir(), "signalman-go-"));
    context.onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await cp(join(EXAMPLES, "go"), folder, { recursive: true });
    const env = {
      PATH: `${BIN}${delimiter}${process.env.PATH}`,
      GOTOOLCHAIN: "local",
      GOFLAGS: "-mod=readonly",
    };
    await fetched(context, [go, "-C", folder, "mod", "download"], env);
    const inFolder = ["sh", "-c", 'cd "$0" && exec "$@"', folder];
    await linesOf([...inFolder, "buf", "generate", join(ROOT, "proto")], env);
    await linesOf([go, "-C", folder, "build", "-o", "watch", "."], env);
    await expectSameLines([join(folder, "watch"), "demo/hello"]);
    expect(await complaintOf([join(folder, "watch"), "demo/none"])).toBe(UNKNOWN);
  });
});

/** Hash by which Chromium names the key of a certificate. */
function publicKeyHash(cert: Buffer): string {
  const key = new X509Certificate(cert).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(key).digest("base64");
}

describe("examples/clients/browser", () => {
  test("a 15-line client in the browser prints the same lines, on a page from another origin", async (context) => {
    const chromium = await programOr(context, "chromium", "google-chrome");
    const files = startProgram([process.execPath, join(EXAMPLES, "browser/serve.js"), "0"]);
    context.onTestFinished(() => void files.child.kill());
    await files.shows("stdout", "index.html");
    // Trusts the certificate by its key, as if the user had installed it.
    const trusted = `--ignore-certificate-errors-spki-list=${publicKeyHash(certificate.cert)}`;
    await using browser = await startBrowser(chromium, [trusted]);
    const page = files.stdout.toString().trim();
    // Importing the page's script again returns the same module: the promise resolves when the script has ended.
    const text = 'import("/examples/clients/browser/watch.js").then(() => document.body.innerText)';
    for (const { url } of [service, encrypted]) {
      await browser.open(`${page}?template=demo/hello&server=${url}#${TOKEN}`);
      expect(await browser.evaluate(text)).toBe(expected);
    }
    await browser.open(`${page}?template=demo/none&server=${service.url}#${TOKEN}`);
    expect(await browser.evaluate(text)).toBe(UNKNOWN);
  });
});

describe.each([
  "watch-grpc.mjs",
  "clients/python/watch.py",
  "clients/go/main.go",
  "clients/browser/watch.js",
])("examples/%s", (name) => {
  test("has about 15 lines of code without imports", async () => {
    const text = (await readFile(join(ROOT, "examples", name), "utf8")).replace(/^import \([^)]*\)/m, "");
    const lines = text
      .split("\n")
      .filter((line) => !/^(\s*[})\]]*\s*|\/\/.*|#.*|import .*|package .*)$/.test(line));
    expect(lines.length).toBeLessThanOrEqual(24);
  });
});
