import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, expect } from "vitest";
import { createNamespace } from "../../src/process/isolation/namespace.ts";
import { hasNamespace, readLeader, readNamespace, readWrapper } from "../../src/process/journal.ts";
import { sweepMarked } from "../../src/process/kill-by-marker.ts";
import { createLauncher } from "../../src/process/launcher.ts";
import type { Identity } from "../../src/process/proc.ts";
import { type RunningProcess, startProcess } from "../../src/process/process.ts";
import { scan } from "../../src/process/scan.ts";
import { type Stream, streamPath } from "../../src/process/spool.ts";
import type { ProgramSpec } from "../../src/process/wrapper.ts";
import { testIsolation } from "../support/isolation.ts";

export const fixture = (name: string) => resolve(import.meta.dirname, "../fixtures", name);
export const env = { PATH: "/usr/bin:/bin", SECRET: "s3cret" };

export function program(command: string, ...args: (string | number)[]): ProgramSpec {
  const path = command.includes("/") || !command.includes(".") ? command : fixture(command);
  return { command: path, args: args.map(String), cwd: tmpdir(), env };
}

export const launcher = createLauncher();

/** A task of one test. */
export class Task {
  readonly folder = mkdtempSync(join(tmpdir(), "signalman-process-"));
  readonly marker = randomUUID();

  start(what: ProgramSpec): Promise<RunningProcess> {
    const isolation = testIsolation();
    if (isolation.mode === "none") return startProcess(launcher, this.folder, this.marker, what);
    const { cwd } = what;
    const enclosure = isolation.enclose({ cwd, tmp: this.folder, writable: [], readOnly: [] });
    return startProcess(launcher, this.folder, this.marker, { enclosure, ...what });
  }

  text(stream: Stream = "stdout"): string {
    return readFileSync(streamPath(this.folder, stream), "latin1");
  }

  bytes(stream: Stream = "stdout"): Buffer {
    return readFileSync(streamPath(this.folder, stream));
  }

  /** Waits until the output matches. */
  says(what: RegExp, stream: Stream = "stdout"): Promise<RegExpExecArray> {
    return new Promise((found) => {
      const look = () => {
        const match = what.exec(this.text(stream));
        if (!match) return;
        watcher.close();
        found(match);
      };
      const watcher = watch(this.folder, look);
      look();
    });
  }

  /** Resolves with the identity of the wrapper or leader once the journal has it. */
  async recorded(who: "wrapper" | "leader"): Promise<Identity> {
    const namespace = hasNamespace(this.folder)
      ? createNamespace(() => readNamespace(this.folder))
      : undefined;
    const readFirst = () => (namespace ? namespace.program() : readLeader(this.folder));
    const read = () => (who === "wrapper" ? readWrapper(this.folder) : readFirst());
    await until(() => read() !== undefined);
    return read() as Identity;
  }

  /** Pids of all living processes of the task, pumps and shells included. */
  async alive(): Promise<number[]> {
    const snapshot = await scan();
    return [...snapshot.procs.values()]
      .filter((proc) => !proc.dead)
      .filter(
        (proc) =>
          snapshot.taskMarker(proc)?.startsWith(this.marker) || snapshot.pumpMarker(proc) === this.marker,
      )
      .map((proc) => proc.pid);
  }

  /** Pids of the two pumps. */
  async pumps(): Promise<number[]> {
    const snapshot = await scan();
    return [...snapshot.procs.values()]
      .filter((proc) => !proc.dead && snapshot.pumpMarker(proc) === this.marker)
      .map((proc) => proc.pid);
  }

  /** Whether no process of the task is alive. Scans several times, since a process shows no marker during an exec. */
  async isEmpty(): Promise<boolean> {
    for (let looks = 0; looks < 10; looks++) if ((await this.alive()).length > 0) return false;
    return true;
  }
}

const tasks: Task[] = [];

export function newTask(): Task {
  const task = new Task();
  tasks.push(task);
  return task;
}

/** Waits for a condition without an event, by polling every 5 ms. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((next) => setTimeout(next, 5));
}

/** Expects after every test that no process of its tasks is alive; kills those that a failed test left. */
export function expectNoProcessLeft(): void {
  afterEach(async () => {
    const left = [];
    for (const task of tasks.splice(0)) {
      left.push(...(await task.alive()));
      await sweepMarked(task.marker);
      rmSync(task.folder, { recursive: true });
    }
    expect(left, "processes left alive").toEqual([]);
  });
}
