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
): Hook[] {
  const registrations = [rows?.project, rows?.template].flatMap((spec) =>
    ((spec?.hooks ?? []) as JsonValue[]).map((json) => fromJson(HookSchema, json)),
  );
  return registrations.map((registration) => hookOf(registration, subject));
}

/**
 * Makes a hook of its registration. If a required hook fails before a task, the task ends as PREPARE_FAILED. If it
 * fails after a task, a success becomes HOOK_FAILED, and another outcome stays.
 */
function hookOf(registration: Registration, subject: Subject): Hook {
  const { name, event, required } = registration;
  return {
    name,
    appliesTo: () => true,
    async before(context, details, signal) {
      if (event !== HookEvent.BEFORE_TASK) return;
      try {
        await perform(registration, { subject, context, details, outcome: undefined }, signal);
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
        await perform(registration, { subject, context, details, outcome }, signal);
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
  { subject, context, details, outcome }: Performance,
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
      const status = await callHttp(callOf(kind.value, facts, variables, subject), both);
      context.say(`Hook ${name}: ${new URL(kind.value.url).host} answered ${status}`);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw limit.aborted ? new Error(`it took longer than ${limitMs / 1000} s`, { cause: error }) : error;
  }
}

function callOf(
  { url, method, headers, secretHeader, secretHeaderKey, body, retries }: HttpHook,
  facts: Facts,
  variables: JsonObject,
  { keys, secrets }: Pick<Subject, "keys" | "secrets">,
): Call {
  return {
    url,
    method: method || "POST",
    headers,
    secret: secretHeader === "" ? undefined : { name: secretHeader, value: textOf(secretHeaderKey, keys) },
    body:
      method === "GET"
        ? undefined
        : JSON.stringify(body ? fillIn(toJson(ValueSchema, body), facts, variables) : facts),
    retries,
    mask: (text) => redactText(text, secrets),
  };
}

function textOf(name: string, keys: ReadonlyMap<string, AccessKey>): string {
  const key = keys.get(name);
  if (key?.kind === "text") return key.value;
  throw new Error(`${name} ${key ? "holds no text" : "cannot be opened"}`);
}
