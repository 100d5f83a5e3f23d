import { constants } from "node:os";
import type { Exit } from "../task/exit.ts";

// These never end a process by default, so 128 + n was a plain exit code.
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

/** Reads the shell's `$?` (0–255). */
export function exitFromStatus(status: number): Exit {
  const signal = status > 128 ? deadly.get(status - 128) : undefined;
  return signal ? { kind: "signal", signal, code: status } : { kind: "code", code: status };
}

/** How a child of ours ended that was ended by a signal. */
export function exitFromSignal(signal: NodeJS.Signals): Exit {
  return { kind: "signal", signal, code: 128 + constants.signals[signal] };
}
