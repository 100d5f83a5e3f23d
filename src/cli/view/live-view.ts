import { styleText } from "node:util";
import { LogStream, type StatusChange, type Task, TaskStatus } from "../../../gen/signalman/v1/task_pb.ts";
import type { WatchTaskResponse } from "../../../gen/signalman/v1/task_service_pb.ts";
import { printable } from "../printable.ts";
import { chunksOf } from "./chunks.ts";
import { createScreen, type Screen } from "./screen.ts";
import type { View } from "./view.ts";
import { statusText, summary } from "./words.ts";

const TICK_MS = 1000;

/**
 * The task's stdout to our stdout and its stderr to ours, byte by byte. What the service says goes to stderr: dimmed on a
 * terminal, else behind `signalman: `. On a terminal there is a status line below.
 */
export function createLiveView(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream): View {
  let task: Task | undefined;
  let lastSaid = "";
  const hasStatusLine = stderr.isTTY && process.env.TERM !== "dumb";
  const screen = createScreen(stderr, hasStatusLine ? (columns) => statusText(task, columns) : undefined);
  const timer = setInterval(screen.refresh, TICK_MS);
  stderr.on("resize", screen.refresh);
  const note = (text: string) => screen.line(`signalman: ${printable(text)}`);

  async function show({ event }: WatchTaskResponse): Promise<void> {
    switch (event.case) {
      case "snapshot":
        task = event.value.task;
        return screen.refresh();
      case "log":
        for (const { stream, data } of chunksOf(event.value.lines)) {
          if (stream === LogStream.SYSTEM) lastSaid = await showSystem(screen, data.toString());
          else await screen.write(stream === LogStream.STDERR ? stderr : stdout, data);
        }
        return;
      case "status":
        task = task && moved(task, event.value);
        if (event.value.message && !event.value.end) await note(event.value.message);
        return screen.refresh();
      case "gap":
        return note(
          `lines ${event.value.fromSeq} to ${event.value.toSeq} are missing: ${event.value.reason}`,
        );
      case "end":
        await screen.close();
        if (event.value.task) await screen.line(`signalman: ${summary(event.value.task, lastSaid)}`);
    }
  }

  return {
    event: show,
    note: (text) => void note(text).catch(() => {}),
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      stderr.off("resize", screen.refresh);
      await screen.close().catch(() => {});
    },
  };
}

/** Returns the last line. */
async function showSystem(screen: Screen, text: string): Promise<string> {
  const dim = (line: string) => styleText("dim", line, { stream: process.stderr });
  const lines = text.replace(/\n$/, "").split("\n");
  for (const line of lines) await screen.line(`signalman: ${printable(line)}`, dim);
  return lines.at(-1) ?? "";
}

function moved(task: Task, { status, time }: StatusChange): Task {
  return {
    ...task,
    status,
    startTime: status === TaskStatus.RUNNING ? (task.startTime ?? time) : task.startTime,
  };
}
