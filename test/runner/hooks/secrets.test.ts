import { toJsonString } from "@bufbuild/protobuf";
import type postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GetProjectResponseSchema, ProjectService } from "../../../gen/signalman/v1/project_pb.ts";
import {
  GetTaskResponseSchema,
  ListTasksResponseSchema,
  TaskService,
  WatchTaskResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import { GetTemplateResponseSchema, TemplateService } from "../../../gen/signalman/v1/template_pb.ts";
import { openSql } from "../../rpc/support.ts";
import { watchToEnd } from "../../support/demo.ts";
import { startService, type TestService } from "../../support/service.ts";
import { AFTER_TASK, applyHooked, BEFORE_TASK, http, program, runToEnd } from "./hooked.ts";
import { type Receiver, startReceiver } from "./receiver.ts";

const SECRET = "Bearer hunter2-of-the-hook";
/** Path of a URL that is secret, as those of chats' webhooks are. */
const HIDDEN = "/services/T0123456789/B0123456789/hunter3-of-the-url";

let service: TestService;
let receiver: Receiver;
let elsewhere: Receiver;
let sql: postgres.Sql;
beforeAll(async () => {
  [service, receiver, elsewhere] = await Promise.all([startService(), startReceiver(), startReceiver()]);
  sql = openSql(service);
  const secret = { secretHeader: "Authorization", secretHeaderKey: "token" };
  const hidden = { urlKey: "chat", logResponse: true };
  await applyHooked(
    service,
    {
      told: {
        script: "true",
        survey: [{ name: "pin" }],
        hooks: [
          { name: "prints", event: BEFORE_TASK, ...program('echo "pin $pin"') },
          { name: "calls", event: AFTER_TASK, ...http({ url: `${receiver.url}/ok`, ...secret }) },
          {
            name: "leaks",
            event: AFTER_TASK,
            ...http({ url: `${receiver.url}/leaks`, ...secret, logResponse: true }),
          },
          {
            name: "cuts",
            event: AFTER_TASK,
            ...http({ url: `${receiver.url}/cuts`, ...secret, logResponse: true }),
          },
          { name: "quiet", event: AFTER_TASK, ...http({ url: `${receiver.url}/leaks`, ...secret }) },
          { name: "chats", event: AFTER_TASK, ...http({ ...hidden, retries: 1 }) },
          { name: "wrong", event: AFTER_TASK, ...http({ urlKey: "token" }) },
          { name: "goes", event: AFTER_TASK, ...http({ url: `${receiver.url}/goes`, ...secret }) },
        ],
      },
    },
    {
      secret: SECRET,
      url: `${receiver.url}${HIDDEN}\n`,
      hooks: [{ name: "project", event: AFTER_TASK, ...http({ url: `${receiver.url}/ok`, ...secret }) }],
    },
  );
  receiver.answer("/leaks", { status: 401, body: `you sent ${SECRET}` });
  receiver.answer("/cuts", { status: 401, body: `${"x".repeat(990)}${SECRET}` });
  receiver.answer(
    HIDDEN,
    { status: 500, body: `no such webhook: ${HIDDEN.slice("/services/".length)}` },
    { status: 200, body: `${receiver.url}${HIDDEN} got it` },
  );
  receiver.answer("/goes", { status: 307, location: `${elsewhere.url}/goes` });
});
afterAll(async () => {
  await sql.end();
  await service[Symbol.asyncDispose]();
  await Promise.all([receiver, elsewhere].map((each) => each[Symbol.asyncDispose]()));
});

/** All rows of all tables, as text and, of what is binary, as bytes. */
async function dump(): Promise<string> {
  const tables = await sql`SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`;
  const rows = await Promise.all(
    tables.map(({ name }) => sql.unsafe(`SELECT t::text AS row FROM "${name}" t`)),
  );
  const text = rows.flat().map(({ row }) => String(row));
  const binary = text.flatMap((row) =>
    [...row.matchAll(/\\x([0-9a-f]+)/g)].map(([, hex = ""]) => Buffer.from(hex, "hex").toString("latin1")),
  );
  return [...text, ...binary].join("\n");
}

test("the secret of a header is sent to the hook's address and appears nowhere else", async () => {
  const { task, said } = await runToEnd(service, "told", { secretVariables: { pin: "1234-of-the-task" } });
  const calls = receiver.received.filter(({ headers }) => headers.authorization === SECRET);
  expect(calls.map(({ path }) => path)).toEqual(["/goes", "/leaks", "/cuts", "/leaks", "/ok", "/ok"]);
  expect(elsewhere.received).toEqual([]);
  // An answer is masked before it is cut, or a part of the secret would stay.
  expect(said.find((line) => line.startsWith("Hook cuts failed"))).toMatch(/x\*\*\*$/);
  expect(said.find((line) => line.startsWith("Hook leaks failed"))).toMatch(
    /answered 401 in \d+ ms: you sent \*\*\*$/,
  );
  expect(said.find((line) => line.startsWith("Hook quiet failed"))).toMatch(/answered 401 in \d+ ms$/);
  expect(receiver.received.filter(({ path }) => path === HIDDEN)).toHaveLength(2);
  const key = "projects/demo/accessKeys";
  expect(said.find((line) => line.startsWith("Hook chats"))).toMatch(
    new RegExp(`^Hook chats: ${key}/chat answered 200 in \\d+ ms: \\*\\*\\* got it$`),
  );
  expect(said).toContain(
    `Hook wrong failed: ${key}/token does not hold an http:// or https:// URL without login and password`,
  );
  expect(said).toContain("prints: pin ***");

  const { name } = task;
  const tasks = service.client(TaskService);
  const seen = [
    ...(await watchToEnd(service, name)).map((event) => toJsonString(WatchTaskResponseSchema, event)),
    toJsonString(GetTaskResponseSchema, await tasks.getTask({ name })),
    toJsonString(ListTasksResponseSchema, await tasks.listTasks({ parent: "projects/demo" })),
    toJsonString(
      GetProjectResponseSchema,
      await service.client(ProjectService).getProject({ name: "projects/demo" }),
    ),
    toJsonString(
      GetTemplateResponseSchema,
      await service.client(TemplateService).getTemplate({ name: task.template }),
    ),
    said.join("\n"),
    service.log(),
    await dump(),
  ].join("\n");
  for (const secret of ["hunter2-of-the-hook", "1234-of-the-task", "hunter3-of-the-url", "T0123456789"]) {
    expect(seen).not.toContain(secret);
    expect(seen).not.toContain(Buffer.from(secret).toString("hex"));
  }
});
