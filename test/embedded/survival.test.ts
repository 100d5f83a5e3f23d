import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openDataFolder } from "../../src/embedded/data-folder.ts";
import { startEmbeddedPostgres } from "../../src/embedded/postgres.ts";
import { identify } from "../../src/embedded/process-identity.ts";
import { until } from "../faults/traces.ts";
import { query, superuserUrl } from "./connect.ts";
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
afterEach(() => temporary[Symbol.asyncDispose]());

describe("After its server was killed", () => {
  test("PostgreSQL runs on, is adopted and stopped by the next server", async () => {
    await freshCluster(path);
    const first = runFixture<Said>("hold-server.ts", path);
    const { url, pid } = await first.said;
    await query(url, "CREATE TABLE kept AS SELECT 42 AS answer");
    await kill9(first);

    const server = await startEmbeddedPostgres(path);
    expect(server).toMatchObject({ adopted: true, pid, url });
    expect(await query(server.url, "SELECT answer FROM kept")).toEqual([{ answer: 42 }]);
    await server.stop();
    await server.stop();
    expect(await identify(pid)).toBeUndefined();
  });

  test("a Ctrl-C in the server's terminal does not reach PostgreSQL", async () => {
    await freshCluster(path);
    const first = runFixture<Said>("hold-server.ts", path);
    const { pid } = await first.said;
    process.kill(-Number(first.child.pid), "SIGINT");
    expect(await first.ended).toBe("SIGINT");
    await using server = await startEmbeddedPostgres(path);
    expect(server).toMatchObject({ adopted: true, pid });
  });

  test("PostgreSQL does not keep a Node process alive", async () => {
    await freshCluster(path);
    const first = runFixture<Said>("hold-server.ts", path, "leave");
    const { pid } = await first.said;
    expect(await first.ended).toBe(0);
    await using server = await startEmbeddedPostgres(path);
    expect(server).toMatchObject({ adopted: true, pid });
  });

  test("a PostgreSQL that is shutting down is waited for, then a new one starts", async () => {
    await freshCluster(path);
    const first = runFixture<Said>("hold-server.ts", path);
    const { pid } = await first.said;
    await kill9(first);
    process.kill(pid, "SIGINT");
    await using server = await startEmbeddedPostgres(path);
    expect(server.adopted).toBe(false);
    expect(server.pid).not.toBe(pid);
  });

  test("a PostgreSQL whose socket was removed is replaced", async () => {
    await freshCluster(path);
    const first = runFixture<Said>("hold-server.ts", path);
    const { pid } = await first.said;
    await kill9(first);
    await rm(join(path, "postgres/run"), { recursive: true });
    await using server = await startEmbeddedPostgres(path);
    expect(server.adopted).toBe(false);
    expect(await identify(pid)).toBeUndefined();
    expect(await query(server.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("a half-made cluster is removed", async () => {
    await (await openDataFolder(path))[Symbol.asyncDispose]();
    const draft = appears(path, (name) => name.startsWith("postgres.new-"));
    const first = runFixture<Said>("hold-server.ts", path);
    await appears(join(path, await draft), (name) => name === "data");
    await kill9(first);
    await using server = await startEmbeddedPostgres(path);
    expect(server.adopted).toBe(false);
    expect(await query(server.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });
});

describe("A second server", () => {
  test("is refused while the first runs", async () => {
    await freshCluster(path);
    const first = runFixture<Said>("hold-server.ts", path);
    const { url } = await first.said;
    await expect(startEmbeddedPostgres(path)).rejects.toThrow(
      `Cannot use the data folder ${path}: process ${first.child.pid} is using it.`,
    );
    expect(await query(url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await kill9(first);
  });
});

/** Waits until a name in the folder passes the test, and returns it. */
async function appears(folder: string, passes: (name: string) => boolean): Promise<string> {
  let found: string | undefined;
  await until(async () => {
    found = (await readdir(folder)).find(passes);
    return found !== undefined;
  });
  return found ?? "";
}

describe("The superuser of a cluster of version 0.2, who has the service's password,", () => {
  /** Makes a cluster such as version 0.2 has left it. */
  async function makeOld(url: string): Promise<void> {
    const { password } = new URL(url);
    await query(superuserUrl(url, path), `ALTER ROLE postgres PASSWORD '${password}'`);
    await query(url, "CREATE TABLE kept AS SELECT 42 AS answer");
    await rm(join(path, "postgres/superuser-password"));
  }

  /** Checks that the service's password opens the service's role alone, and that nothing is lost. */
  async function expectSeparate(url: string): Promise<void> {
    const asSuperuser = new URL(url);
    asSuperuser.username = "postgres";
    await expect(query(asSuperuser.href, "SELECT 1")).rejects.toMatchObject({ code: "28P01" });
    expect(await query(superuserUrl(url, path), "SELECT current_user AS name")).toEqual([
      { name: "postgres" },
    ]);
    expect(await query(url, "SELECT answer FROM kept")).toEqual([{ answer: 42 }]);
  }

  beforeEach(() => freshCluster(path));

  test("gets another one at the next start", async () => {
    {
      await using old = await startEmbeddedPostgres(path);
      await makeOld(old.url);
    }
    await using server = await startEmbeddedPostgres(path);
    await expectSeparate(server.url);
  });

  test("gets another one also if PostgreSQL runs on after its server was killed", async () => {
    const old = runFixture<Said>("hold-server.ts", path);
    const { url, pid } = await old.said;
    await makeOld(url);
    await kill9(old);
    await using server = await startEmbeddedPostgres(path);
    expect(server.adopted).toBe(false);
    expect(await identify(pid)).toBeUndefined();
    await expectSeparate(server.url);
  });
});
