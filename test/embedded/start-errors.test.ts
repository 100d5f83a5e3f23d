import { mkdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startEmbeddedPostgres } from "../../src/embedded/postgres.ts";
import { query } from "./connect.ts";
import { kill9, runFixture } from "./fixture.ts";
import { freshCluster } from "./fresh-cluster.ts";
import { type GuardedFolder, guardedFolder } from "./guarded-folder.ts";

type Said = { url: string; adopted: boolean; pid: number };

let temporary: GuardedFolder;
let path: string;

beforeEach(async () => {
  temporary = await guardedFolder();
  path = join(temporary.path, "data");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await temporary[Symbol.asyncDispose]();
});

describe("A stale pid file", () => {
  test("of a PostgreSQL that was killed does not prevent the start", async () => {
    await freshCluster(path);
    const first = runFixture<Said>("hold-server.ts", path);
    const { url, pid } = await first.said;
    await query(url, "CREATE TABLE kept AS SELECT 42 AS answer");
    await kill9(first);
    process.kill(pid, "SIGKILL");
    await using server = await startEmbeddedPostgres(path);
    expect(server.adopted).toBe(false);
    expect(await query(server.url, "SELECT answer FROM kept")).toEqual([{ answer: 42 }]);
  });

  test("whose pid another program has does not prevent the start, and the program lives on", async () => {
    await freshCluster(path);
    const data = join(path, "postgres/data");
    const lines = [
      process.pid,
      data,
      1700000000,
      5432,
      join(path, "postgres/run"),
      "",
      "  12345  67890",
      "ready",
    ];
    await writeFile(join(data, "postmaster.pid"), `${lines.join("\n")}\n`);
    await using server = await startEmbeddedPostgres(path);
    expect(server.adopted).toBe(false);
    expect(await query(server.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("that is empty is replaced", async () => {
    await freshCluster(path);
    await writeFile(join(path, "postgres/data/postmaster.pid"), "");
    await using server = await startEmbeddedPostgres(path);
    expect(await query(server.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });
});

describe("A path that is too long for a socket", () => {
  test("gets a short socket folder of mode 0700, which the next server finds and a stop removes", async () => {
    const long = join(temporary.path, "x".repeat(120));
    const runtime = join(temporary.path, "runtime");
    await mkdir(runtime);
    vi.stubEnv("XDG_RUNTIME_DIR", runtime);
    await freshCluster(long);
    const first = runFixture<Said>("hold-server.ts", long);
    const { url } = await first.said;
    const socketFolder = decodeURIComponent(new URL(url).hostname);
    expect(socketFolder).toMatch(/\/runtime\/signalman-[0-9a-f]{16}$/);
    expect((await stat(socketFolder)).mode & 0o777).toBe(0o700);
    await kill9(first);

    vi.stubEnv("XDG_RUNTIME_DIR", temporary.path);
    const adopted = await startEmbeddedPostgres(long);
    expect(adopted).toMatchObject({ adopted: true, url });
    await adopted.stop();
    await expect(stat(socketFolder)).rejects.toThrow("ENOENT");
  });

  test("does not use a short folder that is a link of another user", async () => {
    const long = join(temporary.path, "x".repeat(120));
    vi.stubEnv("XDG_RUNTIME_DIR", temporary.path);
    await freshCluster(long);
    const server = await startEmbeddedPostgres(long);
    await server.stop();
    const socketFolder = decodeURIComponent(new URL(server.url).hostname);
    await writeFile(socketFolder, "");
    await expect(startEmbeddedPostgres(long)).rejects.toThrow(
      `Cannot put PostgreSQL's socket into ${socketFolder}`,
    );
  });
});

describe("A path with special characters", () => {
  test("works", async () => {
    const awkward = join(temporary.path, `a b,"c":'d'%20`);
    await freshCluster(awkward);
    await using server = await startEmbeddedPostgres(awkward);
    expect(await query(server.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    expect(await readlink(`/proc/${server.pid}/cwd`)).toBe(join(awkward, "postgres/data"));
  });
});

describe("An unexpected end of PostgreSQL", () => {
  test("is reported to the server that started it, and the next start recovers", async () => {
    await freshCluster(path);
    const server = await startEmbeddedPostgres(path);
    process.kill(server.pid, "SIGKILL");
    const sentence = await server.died;
    expect(sentence).toContain(`PostgreSQL (process ${server.pid}) ended by itself: it got SIGKILL.`);
    expect(sentence).toContain("database system is ready to accept connections");
    await server.stop();
    await using next = await startEmbeddedPostgres(path);
    expect(await query(next.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("is reported to the server that adopted it, and the next start recovers", async () => {
    await freshCluster(path);
    const first = runFixture<Said>("hold-server.ts", path);
    await first.said;
    await kill9(first);
    const server = await startEmbeddedPostgres(path);
    expect(server.adopted).toBe(true);
    process.kill(server.pid, "SIGKILL");
    expect(await server.died).toContain(`PostgreSQL (process ${server.pid}) ended by itself`);
    await server.stop();
    await using next = await startEmbeddedPostgres(path);
    expect(await query(next.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });
});

describe("A start that fails", () => {
  test("reports the last lines of PostgreSQL's log", async () => {
    await freshCluster(path);
    await writeFile(join(path, "postgres/custom.conf"), "shared_buffers = 'lots'\n");
    await expect(startEmbeddedPostgres(path)).rejects.toThrow(
      /Cannot start the embedded PostgreSQL in .*exit code was 1.*invalid value for parameter "shared_buffers": "lots"/s,
    );
  });

  test("releases the folder", async () => {
    await freshCluster(path);
    await writeFile(join(path, "postgres/custom.conf"), "nonsense\n");
    await expect(startEmbeddedPostgres(path)).rejects.toThrow("syntax error");
    await writeFile(join(path, "postgres/custom.conf"), "");
    await using server = await startEmbeddedPostgres(path);
    expect(server.adopted).toBe(false);
  });

  test("names both versions if the data are of another version", async () => {
    await freshCluster(path);
    await writeFile(join(path, "postgres/data/PG_VERSION"), "17\n");
    await expect(startEmbeddedPostgres(path)).rejects.toThrow(
      /was made by PostgreSQL 17; this Signalman brings PostgreSQL 18/,
    );
    expect(await readFile(join(path, "postgres/data/PG_VERSION"), "utf8")).toBe("17\n");
  });

  test("leaves a folder alone that is not a cluster", async () => {
    await mkdir(join(path, "postgres"), { recursive: true });
    await writeFile(join(path, "postgres/thesis.txt"), "years of work");
    await expect(startEmbeddedPostgres(path)).rejects.toThrow("it exists and is not a PostgreSQL cluster");
    expect(await readFile(join(path, "postgres/thesis.txt"), "utf8")).toBe("years of work");
  });

  test("ends with the caller's signal", async () => {
    await freshCluster(path);
    const reason = new Error("changed my mind");
    await expect(startEmbeddedPostgres(path, { signal: AbortSignal.abort(reason) })).rejects.toThrow(reason);
  });

  test("tells root what to do where user namespaces are forbidden", async (context) => {
    context.skip(process.geteuid?.() !== 0, "the tests do not run as root");
    const made = join(temporary.path, "made");
    await freshCluster(made);
    await forbidNamespaces();
    for (const folder of [path, made]) {
      await expect(startEmbeddedPostgres(folder)).rejects.toThrow(
        /Operation not permitted.*Run Signalman as an ordinary user.*set DATABASE_URL/s,
      );
    }
  });
});

/** Output of unshare in a container that forbids user namespaces. */
async function forbidNamespaces(): Promise<void> {
  const bin = join(temporary.path, "bin");
  await mkdir(bin);
  const script = "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n";
  await writeFile(join(bin, "unshare"), script, { mode: 0o755 });
  vi.stubEnv("PATH", `${bin}:${process.env.PATH}`);
}
