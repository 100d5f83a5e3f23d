import { create, type DescMessage } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import type { LogStream } from "../../../gen/signalman/v1/task_pb.ts";
import {
  KillTaskRequestSchema,
  ListTasksRequestSchema,
  type LogFormat,
  ReadTaskLogRequestSchema,
  RunTaskRequestSchema,
  WatchTaskRequestSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import { violationsOf } from "../../../src/rpc/rules/check.ts";
import { type Init, violations } from "./cases.ts";

type Run = Init<typeof RunTaskRequestSchema>;
const TEMPLATE = "projects/demo/templates/hello";
const TASK = "projects/demo/tasks/0192f0c1-0000-7000-8000-000000000001";
const run = (init: Run) => violations(RunTaskRequestSchema, { template: TEMPLATE, ...init });
const seconds = (n: number) => ({ seconds: BigInt(n), nanos: 0 });

test("a complete valid request passes", () => {
  const proper = run({
    requestId: "0192F0C1-0000-7000-8000-000000000001",
    variables: { greeting: "hällo", deep: { list: [1, null, true] } },
    secretVariables: { password: "\u{1f512}" },
    env: { STAGE: "dev", _x1: "" },
    arguments: ["-v", ""],
    gitBranch: "main",
    commit: "abcdef0",
    message: "\u{1f680}".repeat(250),
    labels: { "team/web.x_1": "ops", a: "" },
    priority: 100,
    queueTimeout: seconds(1),
    runTimeout: seconds(315_360_000),
    idleTimeout: { seconds: 1n, nanos: 999_999_999 },
  });
  expect(proper).toEqual([]);
});

test("every violation is reported, in the order of the fields", () => {
  expect(
    run({ template: "demo/hello", requestId: "7", commit: "HEAD", priority: 0, message: "x".repeat(251) }),
  ).toEqual([
    'template: Required. `projects/{project}/templates/{template}` (names have at most 63 lower-case letters, digits and inner dashes: they match `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`); got "demo/hello"',
    'request_id: A UUID; got "7"',
    'commit: 7 to 64 hexadecimal digits; got "HEAD"',
    `message: at most 250 characters; got "${"x".repeat(80)}…"`,
    "priority: 1 to 100; got 0",
  ]);
});

test.each<[string, Run, string]>([
  ["nothing at all", { template: "" }, "template: Required. .*; got nothing$"],
  ["a name in capitals", { template: "projects/Demo/templates/x" }, "template: "],
  ["a name with a line end", { template: `${TEMPLATE}\n` }, "template: "],
  ["a name of 64 letters", { template: `projects/demo/templates/${"x".repeat(64)}` }, "template: "],
  [
    "a secret's name",
    { secretVariables: { "x y": "" } },
    'secret_variables\\["x y"\\]: follow the rule of `env` \\(names match .*: letters, digits and _, no digit first\\); got "x y"',
  ],
  ["too much", { variables: { a: "x".repeat(1 << 20) } }, "variables: At most 1 MiB; got 1 entries"],
  [
    "a variable's name",
    { env: { "1x": "" } },
    'env\\["1x"\\]: Names match `.*` \\(letters, digits and _, no digit first\\); got "1x"',
  ],
  ["a reserved name", { env: { SIGNALMAN_X: "" } }, 'env\\["SIGNALMAN_X"\\]: do not begin with'],
  ["Semaphore's name", { env: { SEMAPHORE_TASK_X: "" } }, 'env\\["SEMAPHORE_TASK_X"\\]: do not begin with'],
  ["NUL in the environment", { env: { X: "a\0b" } }, 'env\\["X"\\]: values hold no NUL; got "a\\\\u0000b"$'],
  ["NUL in an argument", { arguments: ["", "\0"] }, "arguments\\[1\\]: no NUL; got"],
  ["many arguments", { arguments: Array(1001).fill("x") }, "arguments: At most 1000; got 1001 items"],
  [
    "a file in the place of hosts",
    { params: { case: "ansible", value: { limit: ["web", "db,@/etc/passwd", "mail@home"] } } },
    'ansible.limit\\[1\\]: no pattern may begin with `@`, which makes Ansible read a file; got "db,@/etc/passwd"$',
  ],
  ["many labels", { labels: many(65) }, "labels: At most 64; got 65 entries"],
  [
    "a label's key",
    { labels: { "x y": "" } },
    'labels\\["x y"\\]: keys match `.*` \\(at most 63 lower-case letters, digits .*\\); got "x y"',
  ],
  [
    "a label's value",
    { labels: { x: "y".repeat(256) } },
    'labels\\["x"\\]: values have at most 255 characters',
  ],
  ["no time", { runTimeout: seconds(0) }, "run_timeout: from 1 second \\(.*\\); got 0s"],
  ["hardly any time", { queueTimeout: { seconds: 0n, nanos: 500_000_000 } }, "queue_timeout: .* got 0.5s"],
  ["time backwards", { idleTimeout: { seconds: -1n, nanos: -1 } }, "idle_timeout: .* got -1.000000001s"],
  ["no proper time", { idleTimeout: { seconds: 9n, nanos: -1 } }, "idle_timeout: .* got 9 s with -1 ns"],
  ["eternity", { runTimeout: seconds(315_360_001) }, "run_timeout: .*at most 10 years"],
  ["NUL in a note", { message: "a\0b" }, "message: cannot be stored; got .*NUL in it$"],
  [
    "NUL deep in a variable",
    { variables: { a: [{ "b c": "\0" }] } },
    'variables\\["a"\\]\\[0\\]\\["b c"\\]: no NUL',
  ],
  ["NUL in a variable's name", { variables: { "a\0": 1 } }, 'variables\\["a\\\\u0000"\\]: no NUL; got'],
  ["broken Unicode", { variables: { a: "\ud800" } }, 'variables\\["a"\\]: cannot be stored'],
  [
    "a number that JSON lacks",
    { variables: { a: Number.NaN } },
    'variables\\["a"\\]: cannot be stored; got NaN',
  ],
  ["values too deep", { variables: nested(40) }, "variables.*: cannot be stored; got .*more than 30 levels"],
])("%s is refused", (_, init, expected) => {
  const found = run(init);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(new RegExp(`^${expected}`));
});

test.each([" @/f", "a:@/f", "a]@/f", "[@/f", "a\x1c@/f", "a\x85@/f"])(
  "a file is refused behind whatever Ansible takes for the end of a pattern: %j",
  (limit) => {
    expect(run({ params: { case: "ansible", value: { limit: [limit] } } })[0]).toMatch(
      /^ansible.limit\[0\]: no pattern may begin with `@`/,
    );
  },
);

test.each(["mail@home", "bücher@1", "web-1.x@a,db[0:2]", "~^(web|db).*"])("no file: %s", (limit) => {
  expect(run({ params: { case: "ansible", value: { limit: [limit] } } })).toEqual([]);
});

describe("secrets", () => {
  test("are never shown in errors", () => {
    const found = run({
      variables: { token: "hunter2" },
      secretVariables: { token: "hunter2", other: "hunter2\0" },
    });
    expect(found).toHaveLength(2);
    expect(found.join()).not.toContain("hunter2");
    expect(found.sort()).toEqual([
      'secret_variables["other"]: values hold no NUL; got a value that is not shown',
      'secret_variables["token"]: A name must not also be in `variables`; got it in both',
    ]);
  });
});

describe("other requests", () => {
  test("KillTask", () => {
    const kill = (seconds: bigint) =>
      violations(KillTaskRequestSchema, { name: TASK, gracePeriod: { seconds, nanos: 0 } });
    expect(kill(0n)).toEqual([]);
    expect(kill(600n)).toEqual([]);
    expect(kill(601n)).toEqual(["grace_period: 0 to 10 minutes; got 601s"]);
    expect(violations(KillTaskRequestSchema, { name: "projects/demo/tasks/7" })[0]).toMatch(
      /^name: Required\. .*\{uuid\}`; got/,
    );
  });

  test("WatchTask: errors name the fields of the oneof", () => {
    const watch = (init: Init<typeof WatchTaskRequestSchema>) =>
      violations(WatchTaskRequestSchema, { name: TASK, ...init });
    expect(watch({ start: { case: "tailLines", value: 0 } })).toEqual([]);
    expect(watch({ start: { case: "tailLines", value: -1 } })).toEqual(["tail_lines: 0 to 1000000; got -1"]);
    expect(watch({ start: { case: "afterSeq", value: -1n } })).toEqual(["after_seq: from 0; got -1"]);
    expect(watch({ heartbeatInterval: { seconds: 61n } })).toEqual([
      "heartbeat_interval: 1 to 60 seconds; got 61s",
    ]);
    expect(watch({ streams: [1, 0, 9 as LogStream] })).toEqual([
      "streams[1]: one of LOG_STREAM_STDOUT, LOG_STREAM_STDERR, LOG_STREAM_SYSTEM; got 0",
      "streams[2]: one of LOG_STREAM_STDOUT, LOG_STREAM_STDERR, LOG_STREAM_SYSTEM; got 9",
    ]);
  });

  test("ListTasks and ReadTaskLog", () => {
    expect(violations(ListTasksRequestSchema, { parent: "projects/-", pageSize: 1000 })).toEqual([]);
    expect(violations(ListTasksRequestSchema, { parent: "demo", pageSize: -1 })).toHaveLength(2);
    const read = {
      name: TASK,
      start: { case: "tailLines" as const, value: 0 },
      maxLines: 10_001,
      format: 77 as LogFormat,
    };
    expect(violations(ReadTaskLogRequestSchema, read).map((v) => v.split(":")[0])).toEqual([
      "tail_lines",
      "max_lines",
      "format",
    ]);
  });

  test("a request without rules passes", () => {
    const desc = { ...(RunTaskRequestSchema as DescMessage), typeName: "foreign.Request" };
    expect(violationsOf(desc, create(RunTaskRequestSchema))).toEqual([]);
  });
});

function many(n: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, ""]));
}

function nested(levels: number): { a: never } {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = { a: value };
  return value as { a: never };
}
