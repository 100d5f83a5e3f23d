import { styleText } from "node:util";
import type { Task } from "../../../gen/signalman/v1/task_pb.ts";
import { write } from "../terminal/output.ts";
import { statusWord } from "../terminal/status.ts";
import { taskTable } from "../terminal/task-table.ts";
import { cut } from "../terminal/width.ts";
import type { TasksView } from "./view.ts";

/** Time for which an ended task stays on the board. */
const STAY_MS = 30_000;
const TICK_MS = 1000;
/** Shortest time between two redraws. */
const PAUSE_MS = 100;

/*
 * Control sequences of xterm. ENTER opens the alternate screen, which keeps the usual one unchanged, hides the cursor and
 * turns off line wrapping; LEAVE undoes these. The others move the cursor home and erase to the end of the line or screen.
 */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const ERASE_LINE = "\x1b[K";
const ERASE_BELOW = "\x1b[J";

interface Shown {
  task: Task;
  /** Time at which an ended task leaves the board, by performance.now(). */
  until?: number;
}

/** Table of tasks that is redrawn in place, as wide and as high as the terminal. */
export function createBoard(stdout: NodeJS.WriteStream): TasksView {
  const tasks = new Map<string, Shown>();
  let state: "reading" | "synced" = "reading";
  let note = "reading …";
  let redrawing: NodeJS.Timeout | undefined;

  function put(task: Task | undefined): void {
    if (task) tasks.set(task.name, task.end ? { task, until: performance.now() + STAY_MS } : { task });
  }

  function draw(): void {
    redrawing = undefined;
    for (const [name, { until }] of tasks)
      if (until !== undefined && until < performance.now()) tasks.delete(name);
    const columns = stdout.columns || 80;
    const lines = boardLines(
      [...tasks.values()].map(({ task }) => task),
      columns,
      (stdout.rows || 24) - 1,
    );
    const last = styleText("dim", cut(`${note || "live"}; Ctrl-C leaves`, columns), { stream: stdout });
    const frame = [...lines, last].map((line) => `${line}${ERASE_LINE}`).join("\n");
    write(stdout, HOME + frame + ERASE_BELOW).catch(() => {});
  }

  function refresh(): void {
    redrawing ??= setTimeout(draw, PAUSE_MS);
  }

  const timer = setInterval(refresh, TICK_MS);
  stdout.on("resize", draw);
  write(stdout, ENTER).catch(() => {});
  draw();
  return {
    async event({ event }) {
      if (event.case === "snapshot" || event.case === "change") put(event.value.task);
      if (event.case === "synced") {
        state = "synced";
        note = "";
      }
      refresh();
    },
    broken(why) {
      note = `the connection broke (${why}); trying again`;
      // A watch that breaks before `synced` sends its whole snapshot again.
      if (state === "reading") tasks.clear();
      refresh();
    },
    connected() {
      note = state === "synced" ? "" : "reading …";
      refresh();
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      clearTimeout(redrawing);
      stdout.off("resize", draw);
      await write(stdout, LEAVE).catch(() => {});
    },
  };
}

/**
 * Lines of the board, as many as fit: tasks that run or have just ended, by creation; then waiting tasks in the queue's order,
 * which is by priority, then by creation.
 */
export function boardLines(tasks: readonly Task[], columns: number, rows: number): string[] {
  const rank = (task: Task) => (statusWord(task.status) === "WAITING" ? 1 : 0);
  const id = (task: Task) => task.name.split("/").at(-1) ?? "";
  const urgency = (task: Task) => (rank(task) === 1 ? task.priority : 0);
  const sorted = tasks.toSorted(
    (a, b) => rank(a) - rank(b) || urgency(b) - urgency(a) || (id(a) < id(b) ? -1 : 1),
  );
  const room = rows - 1;
  const shown = sorted.length > room ? sorted.slice(0, Math.max(0, room - 1)) : sorted;
  const rest = sorted.slice(shown.length);
  const lines = taskTable(shown, columns);
  if (rest.length > 0) lines.push(cut(`… and ${countByStatus(rest)}`, columns));
  return lines.slice(0, rows);
}

/** Counts of tasks: `3 RUNNING, 12 WAITING`. */
function countByStatus(tasks: readonly Task[]): string {
  const counts = new Map<string, number>();
  for (const task of tasks)
    counts.set(statusWord(task.status), (counts.get(statusWord(task.status)) ?? 0) + 1);
  return [...counts].map(([word, count]) => `${count} ${word}`).join(", ");
}
