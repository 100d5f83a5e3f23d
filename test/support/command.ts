import module from "node:module";
import { fileURLToPath } from "node:url";

// The command line for tests: what is compiled is kept beside the bundle, as bin/signalman.js does for the source.
module.enableCompileCache(fileURLToPath(new URL("../../../cache", import.meta.url)));
await import("../../src/cli/main.ts");
