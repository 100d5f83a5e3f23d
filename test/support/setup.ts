import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { guardedFolder } from "../embedded/guarded-folder.ts";
import { buildProgram } from "./build-program.ts";
import { prepareDatabases } from "./database-server.ts";
import { openDesk } from "./desk.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Folder with the sockets `database` and `program`. */
    desks: string;
  }
}

/** vitest's globalSetup. What it starts is gone after the run, even if vitest is killed. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await guardedFolder());
  const afterRun = stack.use(new AsyncDisposableStack());
  stack.use(await openDesk(join(path, "database"), () => prepareDatabases(path, afterRun)));
  stack.use(await openDesk(join(path, "program"), () => buildProgram(path)));
  project.provide("desks", path);
  const owned = stack.move();
  return () => owned.disposeAsync();
}
