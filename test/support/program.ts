import { join } from "node:path";
import { inject } from "vitest";
import { askDesk } from "./desk.ts";

const folder = await askDesk<string>(join(inject("desks"), "program"));

/** bin/signalman.js with the command line and the server behind it, bundled (build-program.ts). */
export const SIGNALMAN = join(folder, "bin/signalman.js");
/** A server that takes its settings from the environment. */
export const SERVE = join(folder, "serve.js");
/** Closes the server's memory, as bin/signalman.js does. */
export const UNDUMPABLE = join(folder, "bin/undumpable.js");
