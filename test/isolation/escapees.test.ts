import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { follow } from "../faults/follow.ts";
import { applyDemo, runDemo } from "../support/demo.ts";
import type { TestService } from "../support/service.ts";
import { chains, startIsolated, tellMissing, testRoot } from "./server.ts";

tellMissing();
afterAll(() => testRoot.remove());

/** Ways to leave a process tree, a session or a search, each with a process whose arguments hold NAME. */
const ESCAPES: Record<string, string> = {
  "a session of its own": "setsid sleep NAME &",
  "a double fork": "(setsid sleep NAME & ) &",
  "no environment": "env -i /usr/bin/setsid /bin/sleep NAME &",
  "another marker": "SIGNALMAN_TASK=other setsid sleep NAME &",
  "another name": "perl -e '$0 = shift; sleep 1000' kthreadd NAME &",
  "no name": "perl -e '$0 = q(); sleep 1000' NAME &",
  "ignored signals": "bash -c 'trap \"\" TERM INT HUP; while :; do sleep NAME; done' &",
  stopped: "bash -c 'kill -STOP $$; sleep NAME' &",
  "stopped in a session of its own": "setsid bash -c 'kill -STOP $$; sleep NAME' &",
  "closed outputs": "setsid sleep NAME </dev/null >/dev/null 2>&1 &",
  "a folder elsewhere": "(cd / && setsid sleep NAME) &",
  "a chain of forks": "bash -c 'f() { sleep 0.01; f & }; f NAME' &",
  "a restart of itself": "bash -c 'while :; do sleep 0.1; setsid sleep NAME & done' &",
  "nested namespaces": "unshare --user --map-root-user --pid --fork --mount-proc sleep NAME &",
  "a nested init that ignores signals":
    "unshare --user --map-root-user --pid --fork bash -c 'trap \"\" TERM; sleep NAME; :' &",
  "another network": "unshare --user --map-root-user --net sleep NAME &",
  "a low priority": "nice -n 19 setsid sleep NAME &",
  "a trap that starts another": "bash -c 'trap \"setsid sleep NAME &\" TERM EXIT; sleep NAME' &",
  "a child of a parent that has ended": "perl -e 'fork or sleep 1000' NAME &",
  "hundreds of children": "for i in $(seq 300); do sleep NAME & done",
};

/** Script of a program with all escapees, which ends by itself, or waits for its kill. */
const script = (name: string, end: string) =>
  `${Object.values(ESCAPES).join("\n").replaceAll("NAME", name)}\nsleep 0.2; echo ready\n${end}\n`;

/** Numbers of seconds that no other process sleeps. */
const names = { wait: "86401", exit: "86402", stubborn: "86403" };

/** Returns the pids of living processes whose command line has this word. */
function alive(name: string): string[] {
  const pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  return pids.filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return words.includes(name) && !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
    } catch {
      return false; // it has ended
    }
  });
}

describe.each(chains)(
  "in namespaces by $name, no escaped process is alive when the task has ended",
  (chain) => {
    let service: TestService;
    beforeAll(async () => {
      service = await startIsolated(chain);
      await applyDemo(service, {
        wait: { script: script(names.wait, "wait"), allowParallelTasks: true },
        exit: { script: script(names.exit, "exit 4"), allowParallelTasks: true },
        stubborn: {
          script: script(names.stubborn, "trap '' TERM; while :; do wait; done"),
          allowParallelTasks: true,
        },
      });
    });
    afterAll(() => service?.[Symbol.asyncDispose]());

    const kill = (name: string, force: boolean) => service.client(TaskService).killTask({ name, force });

    test("after a program that ended by itself", async () => {
      using watched = follow(service, (await runDemo(service, "exit")).name);
      expect((await watched.ended).end?.exitCode).toBe(4);
      expect(alive(names.exit)).toEqual([]);
    });

    test.each([false, true])("after a kill: %s", async (force) => {
      const { name } = await runDemo(service, "wait");
      using watched = follow(service, name);
      await watched.says(/ready/);
      expect(alive(names.wait).length).toBeGreaterThan(0);
      await kill(name, force);
      await watched.ended;
      expect(alive(names.wait)).toEqual([]);
    });

    test("after kill -9 of the server and adoption by the next one", async () => {
      const { name } = await runDemo(service, "stubborn");
      using watched = follow(service, name);
      await watched.says(/ready/);
      await service.kill("SIGKILL");
      await service.start();
      await kill(name, true);
      await watched.ended;
      expect(alive(names.stubborn)).toEqual([]);
    });
  },
);
