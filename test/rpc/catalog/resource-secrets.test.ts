import { type DescField, type DescMessage, fromJson, type JsonObject } from "@bufbuild/protobuf";
import type postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CatalogSchema, CatalogService } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { keyLike } from "../../support/private-key.ts";
import { startService, type TestService } from "../../support/service.ts";
import { readContract } from "../rules/contract.ts";
import { everyRow, openSql } from "../support.ts";
import { KINDS, type KindName, standard } from "./kinds.ts";

/** Every secret field of the contract, by its full name, and a resource with a marker in it. */
const SECRETS: Record<string, { kind: KindName; json: (secret: string) => JsonObject }> = {
  "signalman.v1.SshKey.private_key": {
    kind: "accessKeys",
    json: (secret) => ({ ssh: { privateKey: keyLike(secret) } }),
  },
  "signalman.v1.SshKey.passphrase": {
    kind: "accessKeys",
    json: (passphrase) => ({
      ssh: { login: "shown", privateKey: keyLike(`${passphrase}'s key`), passphrase },
    }),
  },
  "signalman.v1.LoginPassword.password": {
    kind: "accessKeys",
    json: (password) => ({ loginPassword: { login: "shown", password } }),
  },
  "signalman.v1.SecretText.value": { kind: "accessKeys", json: (value) => ({ text: { value } }) },
  "signalman.v1.Environment.secret_variables": {
    kind: "environments",
    json: (A) => ({ variables: { B: "shown" }, secretVariables: { A } }),
  },
  "signalman.v1.Environment.secret_env": { kind: "environments", json: (A) => ({ secretEnv: { A } }) },
};
const MARK = "hunter2";
const FORMS = [MARK, Buffer.from(MARK).toString("base64").slice(0, -3), Buffer.from(MARK).toString("hex")];
const foundIn = (text: string) => FORMS.filter((form) => text.includes(form));

let service: TestService;
let sql: postgres.Sql;
/** Responses and errors of all calls. */
const answers: string[] = [];
async function heard(call: Promise<unknown>): Promise<void> {
  const told = await call.catch(
    (error: Error & { details?: unknown }) => `${error} ${JSON.stringify(error)}`,
  );
  answers.push(JSON.stringify(told, (_, value) => (typeof value === "bigint" ? String(value) : value)));
}

beforeAll(async () => {
  service = await startService({ env: { SIGNALMAN_LOG_LEVEL: "debug" } });
  sql = openSql(service);
});
afterAll(async () => {
  await sql.end();
  await service[Symbol.asyncDispose]();
});

/** The fields within a catalog of which the contract says that they are secret. */
function secretFields(): string[] {
  const { requests, commentOf } = readContract();
  const apply = requests.find(({ name }) => name === "ApplyCatalogRequest");
  const found = new Set<DescField>();
  const seen = new Set<DescMessage>();
  const walk = (desc: DescMessage): void => {
    if (seen.has(desc)) return;
    seen.add(desc);
    for (const field of desc.fields) {
      if (/^Input only, secret/.test(commentOf(field))) found.add(field);
      if (field.message) walk(field.message);
    }
  };
  if (apply) walk(apply);
  return [...found].map(({ parent, name }) => `${parent.typeName}.${name}`);
}

test("every secret field of the contract has a case here", () => {
  expect(secretFields().sort()).toEqual(Object.keys(SECRETS).sort());
});

test("a secret is in no response, error, export or log, and in the database only encrypted", async () => {
  const catalogs = service.client(CatalogService);
  const apply = (part: JsonObject, validateOnly = false) =>
    catalogs.applyCatalog({
      catalog: fromJson(CatalogSchema, { project: { name: "p" }, ...part }),
      validateOnly,
    });
  await apply({});
  for (const [index, { kind, json }] of Object.values(SECRETS).entries()) {
    const [id, inCatalog] = [`made-${index}`, `applied-${index}`];
    const name = `projects/p/${kind}/${id}`;
    const methods = standard(service, kind);
    await heard(methods.create("projects/p", id, json(MARK)));
    await heard(methods.create("projects/p", id, json(MARK)));
    await heard(methods.create("projects/p", `${id}-nul`, json(`${MARK}\0`)));
    await heard(methods.create("projects/p", `${id}-nul`, json(`${MARK}\ud800`)));
    await heard(methods.update({ name, ...json(`${MARK}, new`) }));
    await heard(methods.update({ name, etag: "stale", ...json(MARK) }, "*"));
    await heard(methods.get(name));
    await heard(methods.list("projects/p"));
    await heard(apply({ [kind]: [{ name: inCatalog, ...json(MARK) }] }));
    await heard(apply({ [kind]: [{ name: inCatalog, ...json(`${MARK}, new`) }] }, true));
    await heard(apply({ [kind]: [{ name: inCatalog, ...json(`${MARK}\0`) }] }));
    await heard(apply({ [kind]: [{ name: inCatalog, ...json(MARK), description: "\0" }] }));
  }
  await heard(catalogs.exportCatalog({ name: "projects/p" }));
  const stored = await sql`
    SELECT name FROM access_keys WHERE secrets IS NOT NULL
    UNION ALL SELECT name FROM environments WHERE secrets IS NOT NULL`;
  expect(stored).toHaveLength(2 * Object.keys(SECRETS).length);
  const told = answers.join("\n");
  expect(told).toContain("shown");
  for (const field of ["private_key", "password", "secret_env"]) expect(told).toContain(field);
  expect(foundIn(told)).toEqual([]);
  expect(service.log()).toContain("ApplyCatalog");
  expect(foundIn(service.log())).toEqual([]);
  const rows = await everyRow(sql);
  expect(rows).toContain("shown");
  expect(foundIn(rows)).toEqual([]);
});

test("every kind of resource was read", () => {
  expect(Object.keys(KINDS)).toEqual(expect.arrayContaining(Object.values(SECRETS).map(({ kind }) => kind)));
});
