import { constants } from "node:os";
import type { Exit } from "../task/exit.ts";

// Signals whose default action does not end a process, so a status of 128 + n is a plain exit code.
const harmless = new Set([
  "SIGCHLD",
  "SIGCONT",
  "SIGURG",
  "SIGWINCH",
  "SIGSTOP",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
]);

const deadly = new Map<number, NodeJS.Signals>();
for (const [name, number] of Object.entries(constants.signals)) {
  if (!harmless.has(name) && !deadly.has(number)) deadly.set(number, name as NodeJS.Signals);
}

/** Returns the exit that a shell's `$?` (0 to 255) stands for. */
export function exitFromStatus(status: number): Exit {
  const signal = status > 128 ? deadly.get(status - 128) : undefined;
  return signal ? { kind: "signal", signal, code: status } : { kind: "code", code: status };
}

/** Returns the exit of a child process that a signal ended. */
export function exitFromSignal(signal: NodeJS.Signals): Exit {
  return { kind: "signal", signal, code: 128 + constants.signals[signal] };
}
