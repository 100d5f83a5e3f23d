import { serve } from "../../src/main.ts";

// A server process for tests: settings come from the environment.
process.exitCode = await serve({});
