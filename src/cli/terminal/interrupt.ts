import { constants } from "node:os";
import { ConnectError } from "@connectrpc/connect";
import { LeftError } from "../errors.ts";

export interface InterruptActions {
  say(text: string): void;
  /** Kills the task. */
  kill(): Promise<unknown>;
  /** Command line that watches the task again. */
  command: string;
}

/** Signal handlers of a watch, installed until they are disposed. */
export interface Interrupts extends Disposable {
  /** Aborted with `LeftError` when the person leaves. */
  readonly signal: AbortSignal;
}

type State = { kind: "watching" } | { kind: "leaving"; timer: NodeJS.Timeout } | { kind: "killing" };

/** Time after the first Ctrl-C within which a second one kills the task. */
const SECOND_MS = 2000;

/**
 * Handles signals while a task is watched. The first SIGINT leaves after 2 s. A second SIGINT within 2 s kills the task, and
 * the watch goes on to the task's end; a third one leaves at once. SIGTERM leaves at once. Leaving aborts `signal` with `LeftError`.
 */
export function onInterrupt({ say, kill, command }: InterruptActions): Interrupts {
  const leaving = new AbortController();
  let state: State = { kind: "watching" };

  function leave(signal: "SIGINT" | "SIGTERM"): void {
    const words = state.kind === "killing" ? "the task is being killed" : "the task goes on";
    say(`left: ${words}; come back with: ${command}`);
    leaving.abort(new LeftError(128 + constants.signals[signal]));
  }

  function interrupt(): void {
    if (state.kind === "watching") {
      say("leaving the task; Ctrl-C again within 2 s kills it");
      state = { kind: "leaving", timer: setTimeout(leave, SECOND_MS, "SIGINT") };
    } else if (state.kind === "leaving") {
      clearTimeout(state.timer);
      state = { kind: "killing" };
      say("killing the task; Ctrl-C once more leaves at once");
      kill().catch((error: unknown) => {
        state = { kind: "watching" };
        say(`cannot kill the task: ${ConnectError.from(error).rawMessage}`);
      });
    } else {
      leave("SIGINT");
    }
  }

  const terminate = () => leave("SIGTERM");
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", terminate);
  return {
    signal: leaving.signal,
    [Symbol.dispose]() {
      if (state.kind === "leaving") clearTimeout(state.timer);
      process.off("SIGINT", interrupt);
      process.off("SIGTERM", terminate);
    },
  };
}
