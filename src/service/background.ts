import type { Logger } from "pino";
import { startLoop } from "../async/poll-loop.ts";
import type { HealthState } from "../http/health-state.ts";
import { removeOldMirrors } from "../jobs/executors/local/old-mirrors.ts";
import { observeWatched } from "../live/poller.ts";
import { assertWritable, keepHouse } from "../store/housekeeping.ts";
import { readMarks } from "../store/tasks/progress.ts";
import type { ServiceContext } from "./context.ts";
import type { Live } from "./live.ts";
import type { Presence } from "./presence.ts";
import type { Runner } from "./runner.ts";

const HOUR_MS = 3_600_000;

/** Work that a server repeats beside calls and tasks. A failure is logged, and the next round tries again. */
interface Chore {
  name: string;
  everyMs: number;
  work(): Promise<void>;
}

/** Returns the background work of a server, in the order in which it is started. */
export function choresOf(
  { databases }: ServiceContext,
  { hub }: Live,
  { health, presence, runner }: { health: HealthState; presence: Presence; runner: Runner | undefined },
): readonly Chore[] {
  return [
    {
      name: "check the database",
      everyMs: 2000,
      async work() {
        try {
          await assertWritable(databases.health);
          health.set(true);
        } catch (error) {
          health.set(false);
          throw error;
        }
      },
    },
    {
      name: "read the positions of watched tasks",
      everyMs: 1000,
      work: () => observeWatched({ hub, readMarks: (ids) => readMarks(databases.reads, ids) }),
    },
    { name: "write the heartbeat of this node", everyMs: 5000, work: () => presence.beat() },
    { name: "housekeeping", everyMs: HOUR_MS, work: () => keepHouse(databases.control) },
    ...(runner
      ? [
          { name: "probe this machine", everyMs: 5000, work: () => runner.fitness.check() },
          { name: "remove old mirrors", everyMs: 60_000, work: () => removeOldMirrors(runner) },
        ]
      : []),
  ];
}

/** Starts all chores. Disposing the result stops them and waits for the rounds that are running. */
export function startBackground(chores: readonly Chore[], logger: Logger): AsyncDisposable {
  const loops = chores.map(({ name, everyMs, work }) => startLoop({ name, everyMs, logger }, work));
  for (const loop of loops) loop.start();
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  };
}
