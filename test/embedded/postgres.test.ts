import { readdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DataFolder, openDataFolder } from "../../src/embedded/data-folder.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/embedded/postgres.ts";
import { identify } from "../../src/embedded/process-identity.ts";
import { query, superuserUrl } from "./connect.ts";
import { type GuardedFolder, guardedFolder } from "./guarded-folder.ts";

let temporary: GuardedFolder;
let folder: DataFolder;
let server: EmbeddedPostgres;

beforeAll(async () => {
  temporary = await guardedFolder();
  folder = await openDataFolder(join(temporary.path, "data"));
  server = await startEmbeddedPostgres(folder);
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
  await temporary[Symbol.asyncDispose]();
});

async function setting(name: string): Promise<unknown> {
  const [row] = await query(server.url, `SELECT current_setting('${name}') AS value`);
  return row?.value;
}

describe("An embedded PostgreSQL", () => {
  test("is version 18, in UTF-8, and sorts independently of the system", async () => {
    expect(await setting("server_version")).toMatch(/^18\./);
    const [database] = await query(
      server.url,
      "SELECT pg_encoding_to_char(encoding) AS encoding, datlocprovider, datlocale FROM pg_database WHERE datname = current_database()",
    );
    expect(database).toEqual({ encoding: "UTF8", datlocprovider: "b", datlocale: "C.UTF-8" });
  });

  test("keeps committed data", async () => {
    for (const name of ["fsync", "synchronous_commit", "full_page_writes", "data_checksums"]) {
      expect([name, await setting(name)]).toEqual([name, "on"]);
    }
  });

  test("gives the service a role that is not a superuser", async () => {
    const [role] = await query(
      server.url,
      "SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user",
    );
    expect(role).toEqual({ rolname: "signalman", rolsuper: false });
  });

  test("has a superuser whose password is another", async () => {
    const [role] = await query(
      superuserUrl(server.url, folder.path),
      "SELECT rolsuper FROM pg_roles WHERE rolname = current_user",
    );
    expect(role).toEqual({ rolsuper: true });
    const asSuperuser = new URL(server.url);
    asSuperuser.username = "postgres";
    await expect(query(asSuperuser.href, "SELECT 1")).rejects.toMatchObject({ code: "28P01" });
  });

  test("asks for the password on the socket too", async () => {
    const wrong = new URL(server.url);
    wrong.password = "guess";
    await expect(query(wrong.href, "SELECT 1")).rejects.toMatchObject({ code: "28P01" });
  });

  test("keeps socket, password and data where only the owner can enter", async () => {
    const modes = await Promise.all(
      ["", "run", "data", "password", "superuser-password", "server.log"].map(async (name) => {
        const found = await stat(join(folder.path, "postgres", name));
        return `${name} ${(found.mode & 0o777).toString(8)}`;
      }),
    );
    expect(modes).toEqual([
      " 700",
      "run 700",
      "data 700",
      "password 600",
      "superuser-password 600",
      "server.log 600",
    ]);
  });

  test("listens on no TCP port", async () => {
    expect(await setting("listen_addresses")).toBe("");
    const fds = await readdir(`/proc/${server.pid}/fd`);
    const targets = await Promise.all(
      fds.map((fd) => readlink(`/proc/${server.pid}/fd/${fd}`).catch(() => "")),
    );
    const sockets = targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
    const tables = await Promise.all(
      ["tcp", "tcp6", "unix"].map((table) => readFile(`/proc/net/${table}`, "utf8")),
    );
    const [tcp, tcp6, unix] = tables.map((table) => table.split(/\s+/));
    expect(sockets.filter((inode) => tcp?.includes(inode) || tcp6?.includes(inode))).toEqual([]);
    expect(sockets.filter((inode) => unix?.includes(inode))).not.toEqual([]);
  });

  test("keeps statements and rows out of its log", async () => {
    await query(server.url, "CREATE TABLE secrets (value text NOT NULL, other int NOT NULL)");
    await expect(query(server.url, "INSERT INTO secrets VALUES ('hunter2', NULL)")).rejects.toThrow(
      "null value",
    );
    const log = await readFile(join(folder.path, "postgres/server.log"), "utf8");
    expect(log).toContain("null value");
    expect(log).not.toContain("hunter2");
  });
});

describe("Stopping", () => {
  test("may be requested twice, and the next start finds the data and the operator's settings", async () => {
    await query(server.url, "CREATE TABLE kept AS SELECT 42 AS answer");
    await writeFile(join(folder.path, "postgres/custom.conf"), "work_mem = '5MB'\n");
    await Promise.all([server.stop(), server.stop()]);
    await server.stop();
    expect(await identify(server.pid)).toBeUndefined();

    const before = server.pid;
    server = await startEmbeddedPostgres(folder);
    expect(server.adopted).toBe(false);
    expect(server.pid).not.toBe(before);
    expect(await query(server.url, "SELECT answer FROM kept")).toEqual([{ answer: 42 }]);
    expect(await setting("work_mem")).toBe("5MB");
  });
});
