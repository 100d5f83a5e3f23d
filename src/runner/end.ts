import { TemplateType } from "../../gen/signalman/v1/template_pb.ts";
import { redactText } from "../logs/redact-text.ts";
import type { StoredChunk } from "../store/logs/logs.ts";
import type { Ending } from "../store/tasks/moves.ts";
import type { NewTask } from "../store/tasks/tasks.ts";
import { deploysAfter } from "../submission/autorun.ts";
import { LeaseLost } from "../task/errors.ts";
import { msSince } from "../task/operator-log.ts";
import type { TaskOutcome } from "../task/types.ts";
import { runAfter } from "./hooks.ts";
import { compressed } from "./logging.ts";
import { stoppedInstead, withoutLog } from "./outcome.ts";
import { announce, contextOf, type RunnerDeps, type TaskRun } from "./run.ts";

/** Hooks, then cleanup, then the end is recorded: whoever reads it finds nothing left. */
export async function end(deps: RunnerDeps, run: TaskRun, outcome: TaskOutcome): Promise<void> {
  const { task, log } = run;
  const signals = { stop: run.control.signal, shutdown: run.shutdown };
  const explained = await runAfter(run.hooks, contextOf(run), outcome, run.details, signals);
  if (run.control.reason === "lease_lost") throw new LeaseLost(task.id);
  let final = { ...explained, message: redactText(explained.message, run.secrets) };
  if (final.message) log.say(final.message);
  const [deploys] = await Promise.all([deploysOf(deps, run, final), leaveNothing(deps, run, final)]);
  const last = await lastChunk(deps, run);
  if (log.failed.aborted) final = withoutLog(final);
  // Committed with the success, so that they are made with it and only with it, whoever dies when.
  await record(deps, run, final, { last, followers: final.status === "SUCCESS" ? deploys : [] });
}

/** What it brought about is read from the workspace before that goes. */
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

/** Stores the end, tells of it, and forgets the task. */
export async function record(
  deps: RunnerDeps,
  run: TaskRun,
  outcome: TaskOutcome,
  ending: Ending,
): Promise<void> {
  const { task, job } = run;
  let final = outcome;
  const finished = await deps.store.finish(task, final, ending);
  if (!finished.moved) {
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
 * Whom no template can name as its build template: these make no version, and bring none anywhere. What a template becomes
 * while its task runs does not count.
 */
const WITHOUT_VERSIONS: (TemplateType | undefined)[] = [TemplateType.UNSPECIFIED, TemplateType.TASK];

/** What a success starts; of what it cannot start, the log says why. */
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

/** The last lines, to be stored with the end; none if the log cannot be stored. */
export async function lastChunk(
  deps: RunnerDeps,
  { task, log, shutdown }: TaskRun,
): Promise<StoredChunk | undefined> {
  try {
    const rest = await log.end();
    return rest && compressed(rest);
  } catch (error) {
    if (error instanceof LeaseLost || shutdown.aborted) throw error;
    deps.onDefect(task.id, error);
    return undefined;
  }
}
