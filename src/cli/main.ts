import { createProgram } from "./program.ts";
import { report } from "./report.ts";
import { flush } from "./terminal/output.ts";

/*
 * The command line: a client of the RPCs like any other, and the launcher of the server.
 *
 * program.ts lists the commands. Each has a file in commands/: it parses its arguments (input/, catalog/), makes calls through
 * a session (session.ts), which retries while the server starts, and prints results to stdout. Everything else that the
 * program has to say goes to stderr after `signalman: `. view/ shows watched tasks live, terminal/ knows what a terminal can
 * do, completion/ completes words for shells.
 *
 * Text that comes from tasks or from other people reaches a terminal only after its control characters are removed or
 * replaced, unless `--raw` is given. `serve` and `rotate-secrets` load the server's code (server/); all other commands start
 * without it.
 *
 * Exit codes: 0 success, 1 failed task, 2 wrong usage or failed call, 3 stopped task, 128 + n after signal n.
 */

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
await flush();
process.exit();
