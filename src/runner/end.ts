import { TemplateType } from "../../gen/signalman/v1/template_pb.ts";
import { failpoint } from "../async/failpoint.ts";
import { redactText } from "../logs/redact-text.ts";
import type { StoredChunk } from "../store/logs/logs.ts";
import type { NewTask } from "../store/tasks/tasks.ts";
import type { Ending } from "../store/tasks/transitions.ts";
import { deploysAfter } from "../submission/autorun.ts";
import { LeaseLostError } from "../task/errors.ts";
import type { TaskOutcome } from "../task/types.ts";
import { msSince } from "../telemetry/operator-log.ts";
import { runAfter } from "./hooks.ts";
import { compressed } from "./logging.ts";
import { stoppedInstead, withoutLog } from "./outcome.ts";
import { announce, contextOf, type RunnerDeps, type TaskRun } from "./run.ts";

/**
 * Ends a run: runs the hooks, removes the workspace, and then records the end. A client that reads a final status can
 * therefore rely on the task having left no process and no workspace.
 */
export async function end(deps: RunnerDeps, run: TaskRun, outcome: TaskOutcome): Promise<void> {
  const { task, log } = run;
  const signals = { stop: run.control.signal, shutdown: run.shutdown };
  const explained = await runAfter(run.hooks, contextOf(run), outcome, run.details, signals);
  if (run.control.reason === "lease_lost") throw new LeaseLostError(task.id);
  let final = { ...explained, message: redactText(explained.message, run.secrets) };
  if (final.message) log.say(final.message);
  await failpoint("before-cleanup");
  const [deploys] = await Promise.all([deploysOf(deps, run, final), leaveNothing(deps, run, final)]);
  await failpoint("before-finish");
  const last = await lastChunk(deps, run);
  if (log.failed.aborted) final = withoutLog(final);
  // The deploys are committed together with the success, so that a crash at any moment loses neither and repeats
  // neither.
  await record(deps, run, final, { last, followers: final.status === "SUCCESS" ? deploys : [] });
}

/** Stores the result, which is read from the workspace, and then removes the workspace. */
async function leaveNothing(
  deps: RunnerDeps,
  { task, job, secrets, canMask }: TaskRun,
  outcome: TaskOutcome,
): Promise<void> {
  const mask = (text: string) => redactText(text, secrets);
  const result = canMask && (await job.result(outcome.status === "SUCCESS", mask));
  if (result) await deps.store.storeResult(task, result);
  await job.cleanup();
}

/** Stores the end and the tasks that follow it, announces them, and removes the job's files. */
export async function record(
  deps: RunnerDeps,
  run: TaskRun,
  outcome: TaskOutcome,
  ending: Ending,
): Promise<void> {
  const { task, job } = run;
  let final = outcome;
  const finished = await deps.store.finish(task, final, ending);
  if (!finished.applied) {
    final = stoppedInstead(final);
    await deps.store.finish(task, final, { last: ending.last });
  }
  announce(deps, task.id, final.status);
  tellEnd(deps, run, final);
  for (const [index, id] of finished.followers.entries()) {
    announce(deps, id, "WAITING");
    const follower = ending.followers?.[index];
    if (follower)
      deps.operatorLog.step("created", { ...follower, id }, { by: follower.createdBy, buildTask: task.id });
  }
  await failpoint("before-forget");
  await job.forget();
}

function tellEnd(
  { operatorLog }: RunnerDeps,
  { task, started }: TaskRun,
  { status, reason, exitCode, signal }: TaskOutcome,
): void {
  operatorLog.step("ended", task, {
    status,
    reason,
    exitCode,
    signal,
    ranMs: started ? msSince(started) : undefined,
    totalMs: msSince(task.createTime),
  });
}

/**
 * Template types that no deploy can name as its build, so that the success of their tasks starts nothing. The type that
 * the template had when the run loaded it counts, not a later one.
 */
const WITHOUT_VERSIONS: (TemplateType | undefined)[] = [TemplateType.UNSPECIFIED, TemplateType.TASK];

/** Returns the deploys that a success starts. Why a deploy cannot be started is said in the task's log. */
async function deploysOf(
  deps: RunnerDeps,
  { task, log, details }: TaskRun,
  outcome: TaskOutcome,
): Promise<NewTask[]> {
  if (outcome.status !== "SUCCESS" || WITHOUT_VERSIONS.includes(details?.template.type)) return [];
  const { deploys, refusals } = deploysAfter(task, await deps.store.loadAutoruns(task));
  for (const refusal of refusals) log.say(refusal);
  return deploys;
}

/** Returns the last lines, which are stored together with the end; undefined if the log cannot be stored. */
export async function lastChunk(
  deps: RunnerDeps,
  { task, log, shutdown }: TaskRun,
): Promise<StoredChunk | undefined> {
  try {
    const rest = await log.end();
    return rest && compressed(rest);
  } catch (error) {
    if (error instanceof LeaseLostError || shutdown.aborted) throw error;
    deps.onDefect(task.id, error);
    return undefined;
  }
}
