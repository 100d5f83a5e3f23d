import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LogStream, type Task } from "../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { endOf, type Follower, follow } from "../faults/follow.ts";
import { leavesNothing } from "../faults/traces.ts";
import { applyDemo, runDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";

const MIB = 1024 * 1024;
const SUCCESS = { status: "SUCCESS", reason: "UNSPECIFIED", exitCode: 0, signal: "", message: "" };
const { STDOUT, STDERR } = LogStream;

const SCRIPTS = {
  exits: "exit $1",
  dies: "kill -$1 $$",
  stubborn: "trap '' TERM INT; echo ready; while :; do sleep 1000; done",
  escapee: "( setsid sleep 1000 </dev/null >/dev/null 2>&1 & ); echo done",
  background: "( while :; do echo tick; sleep 0.02; done ) & echo done; exit 3",
  byname: "echo first >&2; echo second >/dev/stderr; echo third >>/dev/stderr; echo out >/dev/stdout",
  prompt: "printf 'Name? '; until [ -e $1/go ]; do sleep 0.01; done; echo joe",
  forks: `
    for ((i = 0; i < 200; i++)); do
      case $((i % 3)) in
        0) sleep 1000 & ;;
        1) setsid sleep 1000 & ;;
        2) bash -c 'sleep 1000 & wait' & ;;
      esac
    done
    echo forked; exit 5`,
  unbroken: "import os\nfor i in range(1024): os.write(1, b'%7d/' % i * 8192)",
  strange: `
import os
os.write(1, bytes(range(256)) * 16 + b"\\xff\\xfe\\x00\\xc3\\n\\x00\\n\\xf0\\x9f\\x98\\n")
os.write(2, b"\\x1b[31mred\\x1b[0m\\r\\x1b[2Kover\\n\\x1b]0;title\\x07")`,
  alternates: `
import os
for i in range(4000):
    os.write(1, b"out %d\\n" % i)
    os.write(2, b"err %d\\n" % i)`,
};
const PYTHON = new Set(["unbroken", "strange", "alternates"]);

let service: TestService;
let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "signalman-zoo-"));
  service = await startService();
  await applyDemo(
    service,
    Object.fromEntries(
      Object.entries(SCRIPTS).map(([name, script]) => {
        const app = PYTHON.has(name) ? "python" : "bash";
        return [name, { script, app, allowParallelTasks: true, allowOverrideArguments: true }];
      }),
    ),
  );
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

interface Ended {
  task: Task;
  watcher: Follower;
}

/** Runs a script to its end; `meanwhile` is called with its watcher. */
async function run(
  script: keyof typeof SCRIPTS,
  args: string[] = [],
  meanwhile?: (watcher: Follower, task: Task) => Promise<unknown>,
): Promise<Ended> {
  const { name } = await runDemo(service, script, { arguments: args });
  const watcher = follow(service, name);
  const [task] = await Promise.all([watcher.ended, meanwhile?.(watcher, { name } as Task)]);
  await leavesNothing(service, task);
  return { task, watcher };
}

function expectEnd({ task }: Ended, end: Partial<ReturnType<typeof endOf>>): void {
  expect(endOf(task)).toMatchObject(end);
}

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

test.concurrent.for([0, 3, 255])("a script that exits with %i", async (exitCode) => {
  const ended = await run("exits", [`${exitCode}`]);
  const end = exitCode === 0 ? SUCCESS : { status: "ERROR", reason: "EXIT_CODE" };
  expectEnd(ended, { ...end, exitCode, signal: "" });
});

test.concurrent.for([
  ["SIGKILL", 9],
  ["SIGSEGV", 11],
] as const)("a script that dies by %s", async ([signal, number]) => {
  const ended = await run("dies", [`${number}`]);
  expectEnd(ended, { status: "ERROR", exitCode: 128 + number, signal, reason: "SIGNAL" });
});

test.concurrent("a script that ignores SIGTERM dies when the grace period is over", async () => {
  const ended = await run("stubborn", [], async (watcher, { name }) => {
    await watcher.says("ready");
    await service.client(TaskService).killTask({ name, gracePeriod: { nanos: 200_000_000 } });
  });
  expectEnd(ended, { status: "STOPPED", exitCode: 137, signal: "SIGKILL", reason: "STOPPED_BY_USER" });
});

test.concurrent("a grandchild in another session does not outlive its task", async () => {
  const ended = await run("escapee");
  expectEnd(ended, SUCCESS);
  expect(ended.watcher.text()).toBe("done\n");
});

test.concurrent("a background child that holds stdout is ended after its leader, whose exit code counts", async () => {
  const ended = await run("background");
  expectEnd(ended, { status: "ERROR", exitCode: 3, reason: "EXIT_CODE" });
  expect(ended.watcher.text().replaceAll("tick\n", "")).toBe("done\n");
});

test.concurrent("output to /dev/stderr and /dev/stdout by name arrives completely", async () => {
  const ended = await run("byname");
  expectEnd(ended, SUCCESS);
  expect(ended.watcher.text(STDERR)).toBe("first\nsecond\nthird\n");
  expect(ended.watcher.text(STDOUT)).toBe("out\n");
});

test.concurrent("64 MiB without a newline arrive unchanged", async () => {
  const ended = await run("unbroken");
  expectEnd(ended, SUCCESS);
  const expected = Buffer.concat(
    Array.from({ length: 1024 }, (_, i) => Buffer.alloc(65_536, `${`${i}`.padStart(7)}/`)),
  );
  expect(expected.length).toBe(64 * MIB);
  expect(sha256(ended.watcher.bytes(STDOUT))).toBe(sha256(expected));
});

test.concurrent("invalid UTF-8, NUL bytes and escape codes arrive unchanged", async () => {
  const ended = await run("strange");
  expectEnd(ended, SUCCESS);
  const all = Buffer.from(Array.from({ length: 256 * 16 }, (_, i) => i % 256));
  const odd = Buffer.from("fffe00c30a000af09f980a", "hex");
  expect(ended.watcher.bytes(STDOUT)).toEqual(Buffer.concat([all, odd]));
  expect(ended.watcher.text(STDERR)).toBe("\x1b[31mred\x1b[0m\r\x1b[2Kover\n\x1b]0;title\x07");
});

test.concurrent("a prompt without a newline is streamed while its program waits", async () => {
  const ended = await run("prompt", [scratch], async (watcher) => {
    await watcher.says(/^Name\? $/);
    await writeFile(join(scratch, "go"), "");
  });
  expectEnd(ended, SUCCESS);
  expect(ended.watcher.text()).toBe("Name? joe\n");
});

test.concurrent("output to both streams in turn keeps the order of each stream", async () => {
  const ended = await run("alternates");
  expectEnd(ended, SUCCESS);
  const expected = (word: string) => Array.from({ length: 4000 }, (_, i) => `${word} ${i}\n`).join("");
  expect(ended.watcher.text(STDOUT)).toBe(expected("out"));
  expect(ended.watcher.text(STDERR)).toBe(expected("err"));
});

test.concurrent("200 children in different process groups and sessions are swept", async () => {
  const ended = await run("forks");
  expectEnd(ended, { status: "ERROR", exitCode: 5, reason: "EXIT_CODE" });
  expect(ended.watcher.text()).toBe("forked\n");
});
