import { createProgram } from "./program.ts";
import { report } from "./report.ts";
import { flush } from "./terminal/output.ts";

/** Exit codes: 0 success, 1 failed task, 2 usage or RPC error, 3 stopped task; 128 + n after signal n. */
try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
await flush();
process.exit();
