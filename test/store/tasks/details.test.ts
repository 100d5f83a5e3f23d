import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadRun } from "../../../src/store/tasks/details.ts";
import { openStore, type TestStore } from "../fixture.ts";

const key = (name: string) => `projects/p/accessKeys/${name}`;

let store: TestStore;
beforeAll(async () => {
  store = await openStore();
  const { sql } = store;
  await store.makeProject(["t", "bare"]);
  const hook = (name: string) => ({ name, http: { url: "http://x", secretHeaderKey: key(name) } });
  const at = { name: "at", http: { urlKey: key("url") } };
  for (const name of ["repo", "ssh", "become", "other", "vault", "hook", "url", "project-hook", "unused"])
    await insert("access_keys", name, { text: {} }, Buffer.from(`sealed ${name}`));
  await insert("repositories", "r", { url: "/r", accessKey: key("repo") });
  await insert("repositories", "o", { url: "/o", accessKey: key("other") });
  await insert("environments", "e", { env: { A: "1" } }, Buffer.from("sealed e"));
  const file = { path: "hosts", repository: "projects/p/repositories/o" };
  await insert("inventories", "i", { file, sshKey: key("ssh"), becomeKey: key("become") });
  await insert("inventories", "mine", { ini: "localhost" });
  const spec = {
    repository: "projects/p/repositories/r",
    environment: "projects/p/environments/e",
    inventory: "projects/p/inventories/i",
    vaults: [{ key: key("vault") }, { name: "s", script: "x.sh" }],
    hooks: [hook("hook"), at, { name: "program", program: { app: "sh", script: "" } }],
  };
  await sql`UPDATE templates SET spec = ${sql.json(spec)} WHERE name = 't'`;
  await sql`UPDATE projects SET spec = ${sql.json({ hooks: [hook("project-hook")] })}`;

  async function insert(table: string, name: string, spec: JsonObject, secrets?: Buffer) {
    await sql`INSERT INTO ${sql(table)} (project, name, spec) VALUES ('p', ${name}, ${sql.json(spec)})`;
    if (secrets) await sql`UPDATE ${sql(table)} SET secrets = ${secrets} WHERE name = ${name}`;
  }
});
afterAll(() => store?.[Symbol.asyncDispose]());

async function rowsOf(template: string, inventory?: string) {
  const lease = await store.makeTaskIn("STARTING", { template });
  if (inventory)
    await store.sql`UPDATE tasks SET spec = spec || ${store.sql.json({ inventory })} WHERE id = ${lease.id}`;
  const { rows } = await loadRun(store.database, lease);
  if (!rows) throw new Error("There is no template");
  return rows;
}

test("a run loads its template, the resources that it names, and the sealed access keys of all of them", async () => {
  const rows = await rowsOf("t");
  expect(rows).toMatchObject({
    repository: { url: "/r" },
    environment: { env: { A: "1" } },
    inventory: { file: { path: "hosts" } },
    inventoryRepository: { url: "/o" },
  });
  expect(rows.environmentSecrets?.toString()).toBe("sealed e");
  const sealed = Object.entries(rows.keys).map(([name, { secrets }]) => [
    name,
    Buffer.from(secrets ?? "", "base64").toString(),
  ]);
  const names = ["become", "hook", "other", "project-hook", "repo", "ssh", "url", "vault"];
  expect(sealed.sort()).toEqual(names.map((name) => [name, `sealed ${name}`]));
});

test("the inventory of the task overrides that of the template, with its keys", async () => {
  const rows = await rowsOf("t", "mine");
  expect(rows.inventory).toEqual({ ini: "localhost" });
  expect(rows.inventoryRepository).toBeNull();
  expect(Object.keys(rows.keys).sort()).toEqual(["hook", "project-hook", "repo", "url", "vault"]);
});

test("a template that names no resources is loaded with the keys of its project's hooks", async () => {
  const rows = await rowsOf("bare");
  expect(rows).toMatchObject({
    repository: null,
    environment: null,
    inventory: null,
    environmentSecrets: null,
  });
  expect(Object.keys(rows.keys)).toEqual(["project-hook"]);
});

test("a deleted template is loaded as null", async () => {
  const lease = await store.makeTaskIn("STARTING", { template: "gone" });
  expect((await loadRun(store.database, lease)).rows).toBeNull();
});
