import type { Status } from "../../../src/task/status.ts";

/** What a watcher of one task has received, in order. */
export type Seen =
  | { kind: "line"; seq: number; stream: number; text: string; token: string }
  | { kind: "status"; status: Status; timeMs: number; afterSeq: number; token: string }
  | { kind: "gap"; fromSeq: number; toSeq: number; token: string }
  | { kind: "end"; status: Status; lastSeq: number; token: string }
  /** The stream ended without `end`; the next events come from another stream, opened with the last token. */
  | { kind: "break"; why: string };

/** A watch of one task, over as many streams as it took. */
export interface Watch {
  task: string;
  watcher: string;
  seen: Seen[];
}

/** A watch of all tasks, begun before the first one was submitted. */
export interface WatchOfAll {
  watcher: string;
  changes: { task: string; status: Status; timeMs: number; token: string }[];
}

/** A task that a server has acknowledged. */
export interface Submission {
  task: string;
  requestId: string;
  template: string;
  /** Exit code that its program was asked for. */
  exitCode: number;
}

/** Answer to KillTask. */
export interface Kill {
  task: string;
  outcome: string;
}

/** State of a task that a server returned after everything had ended. */
export interface Final {
  task: string;
  server: number;
  status: Status;
  reason: string;
  exitCode: number | undefined;
}

/** What a task's program wrote by itself. */
export interface Written {
  stdout: string;
  stderr: string;
}

/** Everything that was recorded during a run of the suite, and read after it. Tasks are named by their ids. */
export interface History {
  submissions: Submission[];
  kills: Kill[];
  watches: Watch[];
  watchesOfAll: WatchOfAll[];
  /** Watches that were begun after everything had ended, one for each task: the stored log. */
  stored: Watch[];
  finals: Final[];
  /** Begins and ends of programs, in the order in which they happened. */
  programs: { task: string; what: "begin" | "end" }[];
  written: Map<string, Written>;
  limits: Limits;
  /** Processes, folders and rows that are left although their tasks have ended. */
  left: string[];
}

/** Numbers of programs that may run at once: in the project, and of single templates. */
export interface Limits {
  project: number;
  templates: Record<string, number>;
}
