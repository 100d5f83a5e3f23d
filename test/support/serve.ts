import module from "node:module";
import { fileURLToPath } from "node:url";
import "../../bin/return-memory.js";

// A server process for tests, as bin/signalman.js runs it: settings come from the environment.
module.enableCompileCache(fileURLToPath(new URL("./cache", import.meta.url)));
const { serve } = await import("../../src/main.ts");
process.exitCode = await serve({});
