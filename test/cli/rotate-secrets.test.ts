import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AuditService } from "../../gen/signalman/v1/audit_pb.ts";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { LogStream } from "../../gen/signalman/v1/task_pb.ts";
import { createCipher } from "../../src/keys/cipher.ts";
import { openSql } from "../rpc/support.ts";
import { applyDemo, bytesOf, OPEN_TO_CALLERS, runDemo, watchToEnd } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { cli } from "./cli.ts";

const [old, fresh] = [randomBytes(32), randomBytes(32)];
const text = (...keys: Buffer[]) => keys.map((key) => key.toString("base64")).join(",");
const env: Record<string, string> = { SIGNALMAN_SECRET_KEY: text(old) };

let service: TestService;
beforeAll(async () => {
  service = await startService({ env });
  await applyDemo(service, { use: 'echo "$OF_TASK" "$OF_ENVIRONMENT" | rev', wait: "sleep 1000" });
});
afterAll(() => service?.[Symbol.asyncDispose]());

const rotate = (keys: string, ...options: string[]) =>
  cli(["rotate-secrets", ...options], {
    env: {
      SIGNALMAN_SECRET_KEY: keys,
      DATABASE_URL: service.databaseUrl,
      SIGNALMAN_DATA_DIR: service.dataDir,
    },
  });

/** Whether all stored secrets are encrypted with this key. */
async function isAllUnder(key: Buffer): Promise<boolean> {
  const sql = openSql(service);
  const rows = await sql<{ secrets: Buffer }[]>`
    SELECT secrets FROM access_keys WHERE secrets IS NOT NULL
    UNION ALL SELECT secrets FROM environments WHERE secrets IS NOT NULL
    UNION ALL SELECT secrets FROM tasks WHERE secrets IS NOT NULL`;
  await sql.end();
  expect(rows).toHaveLength(3);
  return rows.every(({ secrets }) => createCipher([key]).isCurrent(secrets));
}

test("one command re-encrypts keys, environments and waiting tasks while servers run that have both keys", async () => {
  const catalog = service.client(CatalogService);
  await catalog.applyCatalog({
    catalog: {
      project: { name: "demo", maxParallelTasks: 1 },
      accessKeys: [{ name: "token", kind: { case: "text", value: { value: "of the key" } } }],
      environments: [{ name: "e", secretVariables: { OF_ENVIRONMENT: "environment" } }],
      repositories: [{ name: "scripts", url: `${service.dataDir}/demo-scripts`, accessKey: "token" }],
      templates: ["use", "wait"].map((name) => ({
        name,
        ...OPEN_TO_CALLERS,
        app: "bash",
        repository: "scripts",
        environment: "e",
        path: name,
      })),
    },
  });
  const blocker = await runDemo(service, "wait");
  const waiting = await runDemo(service, "use", { secretVariables: { OF_TASK: "task" } });

  await service.kill();
  env.SIGNALMAN_SECRET_KEY = text(fresh, old);
  await service.start();
  expect(await rotate(text(fresh, old))).toMatchObject({
    code: 0,
    stdout: "Encrypted under the first key: 1 access keys, 1 environments, 1 tasks\n",
  });
  expect(await isAllUnder(fresh)).toBe(true);
  expect((await rotate(text(fresh, old))).stdout).toBe(
    "Encrypted under the first key: 0 access keys, 0 environments, 0 tasks\n",
  );

  await service.kill();
  env.SIGNALMAN_SECRET_KEY = text(fresh);
  await service.start();
  await cli(["kill", blocker.name, "--force"], { server: service.url });
  const events = await watchToEnd(service, waiting.name);
  expect(bytesOf(events, LogStream.STDOUT).toString()).toBe("tnemnorivne ksat\n");
});

test("a rotation is recorded, and one that leaves a secret unreadable also as refused", async () => {
  const audit = async () => {
    const filter = "method = rotate-secrets";
    const { events } = await service.client(AuditService).listAuditEvents({ filter });
    return events.map(({ caller, outcome, reason, fields }) => [caller, outcome, reason, ...fields]);
  };
  const before = (await audit()).length;
  expect((await rotate(text(randomBytes(32)))).code).toBe(1);
  expect(await audit()).toEqual([
    ["root", "FAILED_PRECONDITION", "SECRETS_UNREADABLE"],
    ["root", "OK", ""],
    ...Array(before).fill(["root", "OK", ""]),
  ]);
});

test("without a database of its own it says which server has the data folder", async () => {
  const { code, stderr } = await cli(["rotate-secrets"], { env: { SIGNALMAN_DATA_DIR: service.dataDir } });
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /^signalman: Cannot use the data folder \S+: process \d+ is using it\. Stop that server.*\n$/,
  );
});

test("secrets that no key opens are named and left unchanged", async () => {
  const { code, stderr } = await rotate(text(randomBytes(32)));
  expect(code).toBe(1);
  expect(stderr).toMatch(/projects\/demo\/accessKeys\/token: Cannot decrypt a secret/);
  expect(stderr).toMatch(/projects\/demo\/environments\/e: Cannot decrypt a secret/);
});

test("a server with another key is refused with a sentence, until the lost one is given up", async () => {
  await service.kill();
  const another = text(randomBytes(32));
  env.SIGNALMAN_SECRET_KEY = another;
  const refused = await service.start().then(() => "it started", String);
  expect(refused).toMatch(/SIGNALMAN_SECRET_KEY holds another key than the one that encrypts the secrets/);
  expect(await rotate(another)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/none of these keys/),
  });
  const { code, stderr } = await rotate(another, "--lost-key");
  expect(code).toBe(1);
  expect(stderr).toMatch(/projects\/demo\/accessKeys\/token: Cannot decrypt a secret/);
  await service.start();
  env.SIGNALMAN_SECRET_KEY = text(fresh);
  await service.kill();
  await expect(service.start()).rejects.toThrow(/holds another key/);
});
