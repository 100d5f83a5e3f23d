import { styleText } from "node:util";
import {
  type LogLine,
  LogStream,
  type StatusChange,
  type Task,
  TaskStatus,
  type WaitingFor,
} from "../../../gen/signalman/v1/task_pb.ts";
import type { LogGap, WatchTaskResponse } from "../../../gen/signalman/v1/task_service_pb.ts";
import type { EscapeFilter } from "../../logs/escapes.ts";
import { printable } from "../terminal/printable.ts";
import { type OutputOptions, taskFilter } from "../terminal/task-output.ts";
import { createChunker } from "./chunks.ts";
import { createScreen, type Screen } from "./screen.ts";
import type { View } from "./view.ts";
import { cause, statusText, summary } from "./words.ts";

const TICK_MS = 1000;

interface Output {
  readonly stream: NodeJS.WriteStream;
  readonly filter: EscapeFilter;
}

interface Live {
  readonly screen: Screen;
  /** Where the task's stdout and stderr are shown, and through which filter. */
  readonly outputs: ReadonlyMap<LogStream, Output>;
  readonly chunksOf: ReturnType<typeof createChunker>;
  task: Task | undefined;
  /** Last line of the system stream, which the summary does not repeat. */
  lastSaid: string;
  /** Whether no message about the queue is due: it was shown, or a status line shows the wait. */
  hasToldOfQueue: boolean;
}

/**
 * Writes the task's stdout to stdout and its stderr to stderr, through taskFilter. Lines of the service go to stderr behind
 * `signalman: `, dimmed on a terminal. On a terminal a status line stands below the output.
 */
export function createLiveView(
  stdout: NodeJS.WriteStream,
  stderr: NodeJS.WriteStream,
  options: OutputOptions = {},
): View {
  const status = (columns: number) => statusText(live.task, columns);
  const hasLine = hasStatusLine(stderr);
  const screen = createScreen(stderr, hasLine ? status : undefined);
  const output = (stream: NodeJS.WriteStream): Output => ({ stream, filter: taskFilter(stream, options) });
  const live: Live = {
    screen,
    outputs: new Map([
      [LogStream.STDOUT, output(stdout)],
      [LogStream.STDERR, output(stderr)],
    ]),
    chunksOf: createChunker(options),
    task: undefined,
    lastSaid: "",
    hasToldOfQueue: hasLine,
  };
  const timer = setInterval(() => {
    screen.refresh();
    tellOfQueue(live);
  }, TICK_MS);
  stderr.on("resize", screen.refresh);
  return {
    event: (event) => show(live, event),
    note: (text) => void note(screen, text).catch(() => {}),
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      stderr.off("resize", screen.refresh);
      await endOutputs(live).catch(() => {});
      await screen.close().catch(() => {});
    },
  };
}

/** Says once that the task waits, if it still does at a tick: most tasks start before the first one. */
function tellOfQueue(live: Live): void {
  if (live.hasToldOfQueue || live.task?.status !== TaskStatus.WAITING) return;
  live.hasToldOfQueue = true;
  void note(live.screen, waitNote(live.task.waitingFor)).catch(() => {});
}

/** Says why the task waits, if that has changed. */
async function tellOfWait(live: Live, reason: WaitingFor | undefined): Promise<void> {
  if (!live.task || !reason || reason.message === live.task.waitingFor?.message) return;
  live.task.waitingFor = reason;
  await note(live.screen, waitNote(reason));
}

const waitNote = (reason: WaitingFor | undefined) =>
  reason ? `the task waits: ${printable(reason.message)}` : "the task waits in the queue";

async function show(live: Live, { event }: WatchTaskResponse): Promise<void> {
  const { screen } = live;
  switch (event.case) {
    case "snapshot":
      live.task = event.value.task;
      return screen.refresh();
    case "log":
      return showLines(live, event.value.lines);
    case "status":
      live.task = live.task && withStatus(live.task, event.value);
      if (!event.value.end && cause(event.value)) await screen.line(`signalman: ${cause(event.value)}`);
      return screen.refresh();
    case "heartbeat":
      return tellOfWait(live, event.value.waitingFor);
    case "gap":
      return note(screen, missing(event.value));
    case "end":
      await endOutputs(live);
      await screen.close();
      if (event.value.task) await screen.line(`signalman: ${summary(event.value.task, live.lastSaid)}`);
  }
}

async function showLines(live: Live, lines: readonly LogLine[]): Promise<void> {
  const { screen, outputs, chunksOf } = live;
  for (const { stream, data } of chunksOf(lines)) {
    const output = outputs.get(stream);
    if (output) await screen.write(output.stream, output.filter.write(data));
    else live.lastSaid = await showSystem(screen, data.toString());
  }
}

/** Shows the bytes that the filters still hold back. */
async function endOutputs({ screen, outputs }: Live): Promise<void> {
  for (const { stream, filter } of outputs.values()) await screen.write(stream, filter.end());
}

const note = (screen: Screen, text: string) => screen.line(`signalman: ${printable(text)}`);

function hasStatusLine(stderr: NodeJS.WriteStream): boolean {
  return stderr.isTTY && process.env.TERM !== "dumb";
}

/** Shows lines of the system stream and returns the last one. */
async function showSystem(screen: Screen, text: string): Promise<string> {
  const dim = (line: string) => styleText("dim", line, { stream: process.stderr });
  const lines = text.replace(/\n$/, "").split("\n");
  for (const line of lines) await screen.line(`signalman: ${printable(line)}`, dim);
  return lines.at(-1) ?? "";
}

const missing = ({ fromSeq, toSeq, reason }: LogGap) => `lines ${fromSeq} to ${toSeq} are missing: ${reason}`;

function withStatus(task: Task, { status, time }: StatusChange): Task {
  return {
    ...task,
    status,
    startTime: status === TaskStatus.RUNNING ? (task.startTime ?? time) : task.startTime,
  };
}
