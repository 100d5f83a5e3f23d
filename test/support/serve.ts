import "../../bin/undumpable.js";
import "../../bin/drizzle-imports.js";

// A server process for tests, as bin/signalman.js runs it: settings come from the environment.
const { serve } = await import("../../src/main.ts");
process.exitCode = await serve({});
