import { pathToFileURL } from "node:url";
import { messageOf } from "../task/errors.ts";
import type { Hook } from "./hooks.ts";

/**
 * The hooks of others: each file is an ES module whose default export is a hook or a list of them.
 * @throws Error that names the file and says what is wrong with it.
 */
export async function loadHookModules(paths: readonly string[]): Promise<Hook[]> {
  const lists = await Promise.all(paths.map(loadModule));
  return lists.flat();
}

async function loadModule(path: string): Promise<Hook[]> {
  const module: { default?: unknown } = await import(pathToFileURL(path).href).catch((cause: unknown) => {
    throw new Error(`Cannot load the hooks of ${path}: ${messageOf(cause)}`, { cause });
  });
  const found = Array.isArray(module.default) ? module.default : [module.default];
  const wrong = found.map(faultOf).find((fault) => fault !== undefined);
  if (wrong !== undefined) throw new Error(`Cannot use the hooks of ${path}: ${wrong}`);
  return found;
}

function faultOf(hook: unknown): string | undefined {
  if (typeof hook !== "object" || hook === null)
    return "its default export must be a hook or a list of hooks";
  const { name, appliesTo, before, after } = hook as Partial<Record<keyof Hook, unknown>>;
  if (typeof name !== "string" || name === "") return "a hook has a name";
  if (typeof appliesTo !== "function") return `hook ${name} has a function appliesTo(app)`;
  const works = [before, after].filter((work) => work !== undefined);
  if (works.length === 0 || works.some((work) => typeof work !== "function"))
    return `hook ${name} has a function before or after, or both`;
  return undefined;
}
