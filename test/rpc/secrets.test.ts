import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { LogStream, type Task } from "../../gen/signalman/v1/task_pb.ts";
import { LogFormat, TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { leavesNothing } from "../faults/traces.ts";
import { applyDemo, bytesOf, endOf, runDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { type LiveWatch, watch } from "../watch/events.ts";
import { PUPPET, type Puppet, runPuppet } from "../watch/puppet.ts";
import { everyRow, openSql } from "./support.ts";

const SECRETS = {
  PASSWORD: "correct horse/battery+staple?",
  KEY: "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----\n",
};
/** Forms of the secrets that must not appear anywhere. */
const FORMS = Object.values(SECRETS).flatMap((secret) => [
  ...secret.split("\n").filter((line) => line !== ""),
  Buffer.from(secret).toString("base64"),
  Buffer.from(secret.trim()).toString("base64").slice(0, -4),
  encodeURIComponent(secret.trim()),
]);
const PRINT = [
  'echo "plain $PASSWORD."; echo "$KEY" >&2',
  'printf %s "$PASSWORD" | base64 -w0; echo; printf %s "$KEY" | base64; echo "$KEY" | base64 -w0; echo',
  `python3 -c 'import os, urllib.parse, json; [print(f(os.environ[n])) for f in (urllib.parse.quote, urllib.parse.quote_plus, json.dumps) for n in ("PASSWORD", "KEY")]'`,
  'printf "cor"; sleep 0.3; printf "rect horse/battery+staple?\\n"',
].join("; ");

let service: TestService;
let sql: postgres.Sql;
let task: Puppet;
let created: Task | undefined;
let live: LiveWatch;
beforeAll(async () => {
  service = await startService({ env: { SIGNALMAN_LOG_LEVEL: "debug" } });
  sql = openSql(service);
  await applyDemo(service, { puppet: PUPPET });
  task = await runPuppet(service, "puppet", { secretVariables: SECRETS, variables: { open: "to be seen" } });
  live = watch(service, task);
  await live.status("RUNNING");
  created = (await service.client(TaskService).getTask(task)).task;
  await task.do(`${PRINT}; echo printed`);
  await live.line("printed");
});
afterAll(async () => {
  await sql.end();
  await service[Symbol.asyncDispose]();
});

/** Returns the forms that a text contains. */
const foundIn = (text: string): string[] => FORMS.filter((form) => text.includes(form));

function commandLines(): string {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => readOrEmpty(`/proc/${pid}/cmdline`).replaceAll("\0", " ")).join("\n");
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // the process has ended
  }
}

test("the program gets its secrets unchanged", async () => {
  await task.do('echo lengths $(printf %s "$PASSWORD" | wc -c) $(printf %s_ "$KEY" | wc -c)');
  await live.line(`lengths ${SECRETS.PASSWORD.length} ${SECRETS.KEY.length + 1}`);
});

describe("while the task runs, a secret is", () => {
  test("in no command line, where plain variables are", () => {
    const lines = commandLines();
    expect(lines).toContain("open=to be seen");
    expect(foundIn(lines)).toEqual([]);
  });

  test("in the database only encrypted", async () => {
    const [row] = await sql`SELECT length(secrets) AS length FROM tasks`;
    expect(row?.length).toBeGreaterThan(SECRETS.KEY.length);
    const text = await everyRow(sql);
    expect(text).toContain("to be seen");
    expect(foundIn(text)).toEqual([]);
  });

  test("in files of the task only, which no other user can read", () => {
    const files = readdirSync(service.dataDir, { recursive: true, encoding: "utf8" }).map((name) =>
      join(service.dataDir, name),
    );
    const holding = files.filter((file) => statSync(file).isFile() && foundIn(readOrEmpty(file)).length > 0);
    expect(holding.map((file) => file.split("/").at(-1)).sort()).toEqual(["err", "out"]);
    for (const file of holding) expect(statSync(file).mode & 0o077).toBe(0);
  });
});

describe("after its end, a secret is", () => {
  beforeAll(async () => {
    await task.do("exit 1");
    await live.done;
    await leavesNothing(service, task);
  });

  test("masked in the log in every form, also when it was printed in pieces", async () => {
    const output = [LogStream.STDOUT, LogStream.STDERR].map((stream) =>
      bytesOf(live.events, stream).toString(),
    );
    expect(foundIn(output.join("\n"))).toEqual([]);
    expect(output[0]?.split("\n").slice(0, 2)).toEqual(["plain ***.", "***"]);
    expect(output[0]?.trim().split("\n").at(-3)).toBe("***");
    expect(output[0]).not.toMatch(/horse|MIIE/);
    expect(output[1]).not.toMatch(/MII|BEGIN/);
  });

  test("in no response of an RPC; they have its name only", async () => {
    const client = service.client(TaskService);
    const answers = [
      created,
      await client.getTask(task),
      await client.listTasks({ parent: "projects/demo" }),
      await client.killTask(task),
      live.events,
    ];
    const text = JSON.stringify(answers, (_, value) => (typeof value === "bigint" ? String(value) : value));
    expect(created?.secretVariableNames).toEqual(["KEY", "PASSWORD"]);
    expect(text).toContain('"KEY","PASSWORD"');
    expect(foundIn(text)).toEqual([]);
    for (const format of [LogFormat.TEXT, LogFormat.PLAIN_TEXT]) {
      const log = await client.readTaskLog({ ...task, format });
      expect(foundIn(Buffer.from(log.text).toString("latin1"))).toEqual([]);
    }
  });

  test("neither in the server's log nor in the database, not even encrypted", async () => {
    expect(service.log()).toContain("RunTask");
    expect(foundIn(service.log())).toEqual([]);
    expect(await sql`SELECT 1 FROM tasks WHERE secrets IS NOT NULL`).toHaveLength(0);
    expect(foundIn(await everyRow(sql))).toEqual([]);
  });

  test("in no file of the data folder", () => {
    const files = readdirSync(service.dataDir, { recursive: true, encoding: "utf8" }).map((name) =>
      join(service.dataDir, name),
    );
    expect(files.filter((file) => statSync(file).isFile() && foundIn(readOrEmpty(file)).length > 0)).toEqual(
      [],
    );
  });
});

test("a refused request is not answered or logged with its secrets", async () => {
  const refused = service.client(TaskService).runTask({
    template: "projects/demo/templates/puppet",
    requestId: "0192f0c1-0000-4000-8000-000000000000",
    secretVariables: { ...SECRETS, "not a name": SECRETS.PASSWORD },
    variables: { PASSWORD: "x" },
  });
  const error = await refused.catch((e: Error & { details?: unknown }) => e);
  expect(foundIn(`${error} ${JSON.stringify(error)} ${service.log()}`)).toEqual([]);
});

test("the end message of a task has its secrets masked", async () => {
  await service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "demo" },
      environments: [{ name: "lost", secretEnv: { PATH: "/hunter2-hunter2" } }],
      templates: [{ name: "lost", app: "bash", repository: "scripts", path: "puppet", environment: "lost" }],
    },
  });
  const events = await watch(service, { name: (await runDemo(service, "lost")).name }).done;
  const message = endOf(events).end?.message;
  expect(message).toMatch(/there is no program bash on this server/);
  expect(message).not.toContain("hunter2");
});
