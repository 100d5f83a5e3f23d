import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TaskService, type WatchTaskResponse } from "../../gen/signalman/v1/task_service_pb.ts";
import { TRANSPORTS } from "../http/clients.ts";
import { randomSource } from "../logs/support.ts";
import { applyDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import {
  collect,
  expectOrder,
  flatten,
  lastCase,
  linesOf,
  statusesOf,
  type WatchInit,
  watch,
} from "./events.ts";
import { PUPPET, type Puppet, runPuppet } from "./puppet.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService();
  await applyDemo(service, { puppet: PUPPET });
});
afterAll(() => service[Symbol.asyncDispose]());

/** Creates a task that waits for another one of its template, which `free` ends. */
async function waitingPuppet(): Promise<{ task: Puppet; free: () => Promise<void> }> {
  const first = await runPuppet(service, "puppet");
  const started = watch(service, { name: first.name });
  await started.status("RUNNING");
  const task = await runPuppet(service, "puppet");
  return {
    task,
    async free() {
      await first.do("exit");
      await started.done;
    },
  };
}

const FLOOD = 'for i in $(seq 300); do echo "out $i"; echo "err $i" >&2; done; printf "a prompt: "';
/** About 2 MB, in some 40 chunks. */
const FLOOD_FUNCTION =
  "flood() { seq -f '%08.0f of many lines that are made only to be there, and so on, and so on' 27000; }";

test("watches that begin before a task, in its middle and after its end get the same messages", async () => {
  const { task, free } = await waitingPuppet();
  const early = watch(service, task);
  await early.status("WAITING");
  expect(statusesOf(early.events)).toEqual(["WAITING"]);
  await free();
  await task.do(FLOOD);
  await early.line("a prompt: ");
  const middle = watch(service, task);
  await middle.status("RUNNING");
  await task.do(`echo yes; ${FLOOD}; echo; sh -c 'echo grandchild'; exit 3`);
  const tellings = await Promise.all([early.done, middle.done]);
  const late = await collect(service, task);
  for (const telling of tellings) {
    expectOrder(telling);
    expect(flatten(telling)).toEqual(flatten(late));
  }
  expect(statusesOf(late)).toEqual(["WAITING", "STARTING", "RUNNING", "ERROR"]);
  expect(linesOf(late).length).toBeGreaterThan(1200);
});

/** Watches until its end, cutting the stream after a few events again and again; the first tries use other protocols. */
async function watchInPieces(name: string, random: (below: number) => number, cuts: number) {
  const kept: WatchTaskResponse[] = [];
  const clients = Object.values(TRANSPORTS).map((transport) =>
    createClient(TaskService, transport(service.url)),
  );
  let token = "";
  for (let cut = 0; ; cut++) {
    const client = clients[random(clients.length)] ?? service.client(TaskService);
    const request: WatchInit = token ? { name, start: { case: "resumeToken", value: token } } : { name };
    let left = cut < cuts ? random(4) : Number.POSITIVE_INFINITY;
    for await (const response of client.watchTask(request)) {
      token = response.resumeToken;
      if (response.event.case !== "snapshot") kept.push(response);
      if (response.event.case === "end") return { kept, cut };
      if (left-- <= 0) break;
    }
  }
}

describe("a watch that is cut and resumed 50 times at random points gets every line and every status once", () => {
  let task: Puppet;
  let whole: WatchTaskResponse[];

  test("while the task runs", async () => {
    task = await runPuppet(service, "puppet");
    const uncut = watch(service, task);
    const pieces = watchInPieces(task.name, randomSource(7), 50);
    await uncut.status("RUNNING");
    await task.do(`${FLOOD_FUNCTION}; trap 'echo asked to stop; flood; exit 0' TERM; flood; echo half`);
    await uncut.line("half");
    await service.client(TaskService).killTask({ name: task.name, gracePeriod: { seconds: 60n } });
    whole = await uncut.done;
    const { kept, cut } = await pieces;
    expect(cut).toBeGreaterThanOrEqual(50);
    expect(flatten(kept)).toEqual(flatten(whole));
    expectOrder(kept);
    expect(statusesOf(kept)).toEqual(["WAITING", "STARTING", "RUNNING", "STOPPING", "STOPPED"]);
    expect(linesOf(kept).length).toBeGreaterThan(54_000);
  });

  test("after its end", async () => {
    const { kept, cut } = await watchInPieces(task.name, randomSource(1), 50);
    expect(cut).toBeGreaterThanOrEqual(50);
    expect(flatten(kept)).toEqual(flatten(whole));
  });
});

test("the final status and the end are sent again for the last two resume tokens", async () => {
  const task = await runPuppet(service, "puppet");
  await task.do("echo x; exit 0");
  const whole = await collect(service, task);
  const final = whole.at(-2);
  expect(final?.event.case).toBe("status");
  for (const { resumeToken = "" } of [final, whole.at(-1)].filter((event) => event !== undefined)) {
    const rest = await collect(service, { ...task, start: { case: "resumeToken", value: resumeToken } });
    expect(rest.map(({ event }) => event.case)).toEqual(["snapshot", "end"]);
    expect(flatten(rest)).toEqual(flatten(whole).slice(-1));
  }
  expect(lastCase(whole)).toBe("end");
});
