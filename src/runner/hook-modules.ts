import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { messageOf } from "../task/errors.ts";
import type { Hook } from "./hooks.ts";
import { isOutcome } from "./outcome.ts";

const LOADED_WITHIN_MS = 10_000;
/** Milliseconds that a hook has to end after its signal was aborted. After them the runner goes on without it. */
const GRACE_MS = 2000;

/**
 * Loads the hooks of an operator's own modules: each file is an ES module whose default export is a hook or a list of
 * them.
 * @throws Error that names the file and says what is wrong with it.
 */
export async function loadHookModules(
  paths: readonly string[],
  withinMs = LOADED_WITHIN_MS,
): Promise<Hook[]> {
  const lists = await Promise.all(paths.map((path) => loadModule(path, withinMs)));
  return lists.flat().map(guarded);
}

async function loadModule(path: string, withinMs: number): Promise<Hook[]> {
  // Checked here, since the error of `import` names this module instead of the missing file.
  if (!existsSync(path)) throw new Error(`Cannot load the hooks of ${path}: there is no such file`);
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`it takes longer than ${withinMs / 1000} s`)),
    withinMs,
  );
  const loading: Promise<{ default?: unknown }> = import(pathToFileURL(path).href);
  const module = await Promise.race([loading, late.promise])
    .catch((cause: unknown) => {
      throw new Error(`Cannot load the hooks of ${path}: ${messageOf(cause)}`, { cause });
    })
    .finally(() => clearTimeout(timer));
  const found = Array.isArray(module.default) ? module.default : [module.default];
  const wrong = found.map(faultOf).find((fault) => fault !== undefined);
  if (wrong !== undefined) throw new Error(`Cannot use the hooks of ${path}: ${wrong}`);
  return found;
}

/**
 * Wraps a loaded hook, which may return anything and may ignore its signal, so that neither breaks or blocks a task.
 */
function guarded(hook: Hook): Hook {
  const { name } = hook;
  return {
    name,
    appliesTo: (app) => hook.appliesTo(app),
    before: (context, details, signal) =>
      abandonAfterAbort(signal, async () => hook.before?.(context, details, signal)),
    async after(context, outcome, details, signal) {
      const other = await abandonAfterAbort(signal, async () =>
        hook.after?.(context, outcome, details, signal),
      );
      if (other === undefined || isOutcome(other)) return other;
      throw new Error("it returned a value that is neither undefined nor a task outcome");
    },
  };
}

/** Settles like `work`; rejects with the signal's reason if `work` goes on for GRACE_MS after the abort. */
async function abandonAfterAbort<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const giveUp = () => void setTimeout(() => late.reject(signal.reason), GRACE_MS).unref();
  if (signal.aborted) giveUp();
  else signal.addEventListener("abort", giveUp, { once: true });
  try {
    return await Promise.race([work(), late.promise]);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

function faultOf(hook: unknown): string | undefined {
  if (typeof hook !== "object" || hook === null)
    return "its default export must be a hook or a list of hooks";
  const { name, appliesTo, before, after } = hook as Partial<Record<keyof Hook, unknown>>;
  if (typeof name !== "string" || name === "") return "a hook must have a name, a text that is not empty";
  if (typeof appliesTo !== "function") return `hook ${name} must have a function appliesTo(app)`;
  const works = [before, after].filter((work) => work !== undefined);
  if (works.length === 0 || works.some((work) => typeof work !== "function"))
    return `hook ${name} must have a function before or after, or both`;
  return undefined;
}
