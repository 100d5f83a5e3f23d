import { fromJson, type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import {
  HookEvent,
  HookSchema,
  type HttpHook,
  type Hook as Registration,
} from "../../../gen/signalman/v1/hook_pb.ts";
import type { AccessKey } from "../../keys/access-key.ts";
import { redactText } from "../../logs/redact-text.ts";
import type { DetailRows } from "../../store/tasks/details.ts";
import { msFromDuration } from "../../task/duration.ts";
import { messageOf, PrepareError } from "../../task/errors.ts";
import type { TaskOutcome, TaskRecord } from "../../task/types.ts";
import type { TaskDetails } from "../details.ts";
import type { Hook, HookContext } from "../hooks.ts";
import type { CallPolicy } from "./call-policy.ts";
import { type Facts, factsOf, fillIn } from "./facts.ts";
import { type Call, callHttp } from "./http.ts";
import { runProgram } from "./program.ts";

/** The part of a run that registered hooks use. It is read when a hook runs, since the run fills it in later. */
export interface Subject {
  readonly task: TaskRecord;
  readonly keys: ReadonlyMap<string, AccessKey>;
  /** Values to mask. */
  readonly secrets: readonly string[];
}

const DEFAULT_TIMEOUT_MS = 30_000;

/** Events of hooks that run at an end with this status. */
const AT_END: Record<TaskOutcome["status"], readonly HookEvent[]> = {
  SUCCESS: [HookEvent.AFTER_TASK, HookEvent.ON_SUCCESS],
  ERROR: [HookEvent.AFTER_TASK, HookEvent.ON_FAILURE],
  STOPPED: [HookEvent.AFTER_TASK],
};

/**
 * Returns the hooks that users have registered: those of the project first, then those of the template. Each may run
 * again after the end of a server.
 */
export function registeredHooks(
  rows: Pick<DetailRows, "project" | "template"> | null,
  subject: Subject,
  mayCall: CallPolicy,
): Hook[] {
  const registrations = [rows?.project, rows?.template].flatMap((spec) =>
    ((spec?.hooks ?? []) as JsonValue[]).map((json) => fromJson(HookSchema, json)),
  );
  return registrations.map((registration) => hookOf(registration, subject, mayCall));
}

/**
 * Makes a hook of its registration. If a required hook fails before a task, the task ends as PREPARE_FAILED. If it
 * fails after a task, a success becomes HOOK_FAILED, and another outcome stays.
 */
function hookOf(registration: Registration, subject: Subject, mayCall: CallPolicy): Hook {
  const { name, event, required } = registration;
  return {
    name,
    appliesTo: () => true,
    async before(context, details, signal) {
      if (event !== HookEvent.BEFORE_TASK) return;
      try {
        await perform(registration, { subject, mayCall, context, details, outcome: undefined }, signal);
      } catch (error) {
        signal.throwIfAborted();
        const message = `Hook ${name} failed: ${messageOf(error)}`;
        if (required) throw new PrepareError(message, { cause: error });
        context.say(message);
      }
    },
    async after(context, outcome, details, signal) {
      if (!AT_END[outcome.status].includes(event)) return outcome;
      try {
        await perform(registration, { subject, mayCall, context, details, outcome }, signal);
        return outcome;
      } catch (error) {
        if (signal.aborted || !required || outcome.status !== "SUCCESS") throw error;
        const message = `Hook ${name} failed: ${messageOf(error)}`;
        return { ...outcome, status: "ERROR", reason: "HOOK_FAILED", message };
      }
    },
  };
}

interface Performance {
  subject: Subject;
  mayCall: CallPolicy;
  context: HookContext;
  details: TaskDetails | undefined;
  /** Outcome of the task; undefined: the hook runs before the task. */
  outcome: TaskOutcome | undefined;
}

/**
 * Runs the program or makes the HTTP call of a hook, within its time limit.
 * @throws Error whose message says what failed; the reason of `signal` if it aborts.
 */
async function perform(
  { name, event, kind, timeout }: Registration,
  { subject, mayCall, context, details, outcome }: Performance,
  signal: AbortSignal,
): Promise<void> {
  const { task, secrets } = subject;
  const masked = outcome && { ...outcome, message: redactText(outcome.message, secrets) };
  const facts = factsOf(task, event, context.commit.hash, masked);
  const limitMs = msFromDuration(timeout) ?? DEFAULT_TIMEOUT_MS;
  const limit = AbortSignal.timeout(limitMs);
  const both = AbortSignal.any([signal, limit]);
  try {
    if (kind.case === "program") await runProgram(context, { ...kind.value, name }, facts, details, both);
    if (kind.case === "http") {
      const variables = details?.variables ?? task.spec.variables;
      const answer = await callHttp(callOf(kind.value, facts, variables, subject), mayCall, both);
      context.say(`Hook ${name}: ${answer}`);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw limit.aborted ? new Error(`it took longer than ${limitMs / 1000} s`, { cause: error }) : error;
  }
}

function callOf(
  hook: HttpHook,
  facts: Facts,
  variables: JsonObject,
  { keys, secrets }: Pick<Subject, "keys" | "secrets">,
): Call {
  const { method, headers, secretHeader, secretHeaderKey, body, retries, logResponse } = hook;
  const url = urlOf(hook, keys);
  const masked = hook.urlKey ? [...secrets, ...secretParts(url)] : secrets;
  return {
    url,
    urlKey: hook.urlKey || undefined,
    method: method || "POST",
    headers,
    secret: secretHeader === "" ? undefined : { name: secretHeader, value: textOf(secretHeaderKey, keys) },
    body:
      method === "GET"
        ? undefined
        : JSON.stringify(body ? fillIn(toJson(ValueSchema, body), facts, variables) : facts),
    retries,
    logResponse,
    mask: (text) => redactText(text, masked),
  };
}

/** Returns the URL of a hook. @throws Error that does not show it if it is secret. */
function urlOf({ url, urlKey }: HttpHook, keys: ReadonlyMap<string, AccessKey>): URL {
  if (urlKey === "") return new URL(url);
  const text = textOf(urlKey, keys).trim();
  const found = URL.canParse(text) ? new URL(text) : undefined;
  if (found && /^https?:$/.test(found.protocol) && found.username === "" && found.password === "")
    return found;
  throw new Error(`${urlKey} does not hold an http:// or https:// URL without login and password`);
}

/** Shortest part of a secret URL that is masked by itself: shorter ones are words such as `hooks`. */
const SHORTEST_PART = 8;

/** Returns the parts of a secret URL that a response may repeat by themselves. */
function secretParts({ host, pathname, search, searchParams }: URL): string[] {
  const parts = [pathname, ...pathname.split("/"), ...searchParams.values()];
  return [host, `${pathname}${search}`, ...parts.filter((part) => part.length >= SHORTEST_PART)];
}

function textOf(name: string, keys: ReadonlyMap<string, AccessKey>): string {
  const key = keys.get(name);
  if (key?.kind === "text") return key.value;
  throw new Error(`${name} ${key ? "holds no text" : "cannot be opened"}`);
}
