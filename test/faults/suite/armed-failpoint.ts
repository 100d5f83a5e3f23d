import { appendFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Failpoint } from "../../../src/async/failpoint.ts";

/*
 * Takes the place of src/async/failpoint.ts in the servers of the fault suite. A point is armed by a file of its name in the
 * folder that FAILPOINTS names, also while the server runs. The file `hits` there lists the points that were reached.
 */

/** What happens at a point, from its `nth` pass after it was armed on, `times` times. */
export interface Armed {
  /** Default: 1. */
  nth?: number;
  /** Default: 1. */
  times?: number;
  action:
    | { kind: "kill" }
    /** Delays the caller; the server does its other work. */
    | { kind: "pause"; ms: number }
    /** Delays the caller until the file is gone. */
    | { kind: "hold"; file: string }
    /** Fails like a lost connection: the caller does not know whether its work was committed. */
    | { kind: "throw" };
}

const folder = process.env.FAILPOINTS ?? "";
const passes = new Map<string, number>();

export function failpoint(point: Failpoint): Promise<void> | undefined {
  const file = join(folder, point);
  if (!folder || !existsSync(file)) return undefined;
  const { nth = 1, times = 1, action } = JSON.parse(readFileSync(file, "utf8")) as Armed;
  const pass = (passes.get(point) ?? 0) + 1;
  passes.set(point, pass);
  if (pass < nth) return undefined;
  if (pass >= nth + times - 1) {
    passes.delete(point);
    rmSync(file, { force: true });
  }
  appendFileSync(join(folder, "hits"), `${point} ${action.kind}\n`);
  return act(point, action);
}

async function act(point: Failpoint, action: Armed["action"]): Promise<void> {
  if (action.kind === "kill") process.kill(process.pid, "SIGKILL");
  if (action.kind === "pause") await delay(action.ms);
  if (action.kind === "hold") while (existsSync(action.file)) await delay(10);
  if (action.kind === "throw")
    throw Object.assign(new Error(`failpoint ${point}`), { code: "CONNECTION_CLOSED" });
}
