import type { FoundPlan } from "../jobs/job.ts";
import { compress } from "../logs/compress.ts";
import { redactText } from "../logs/redact-text.ts";
import type { TaskOutcome } from "../task/types.ts";
import { msSince } from "../telemetry/operator-log.ts";
import { lastChunk, record } from "./end.ts";
import { stoppedInstead, withoutLog } from "./outcome.ts";
import { announce, type RunnerDeps, type TaskRun } from "./run.ts";

/** Bytes of a plan's text that are stored. */
const MAX_TEXT = 1024 * 1024;

/**
 * Changes a task from RUNNING to WAITING_CONFIRMATION: the run ends and frees its slot, while the workspace stays.
 * ConfirmTask starts another run, which applies the plan. A task that was killed meanwhile, or whose log cannot be
 * stored, ends instead.
 */
export async function park(
  deps: RunnerDeps,
  run: TaskRun,
  { plan, text }: FoundPlan,
  outcome: TaskOutcome,
): Promise<void> {
  const { task, job, log } = run;
  await job.park();
  const last = await lastChunk(deps, run);
  const stored = { plan, text: compress(Buffer.from(shown(text, run.secrets))) };
  if (!log.failed.aborted && (await deps.store.park(task, stored, last))) {
    await job.dropOutput();
    const { add, change, destroy } = plan;
    deps.operatorLog.step("waiting for confirmation", task, {
      plan: { add, change, destroy },
      ranMs: run.started ? msSince(run.started) : undefined,
    });
    return announce(deps, task.id, "WAITING_CONFIRMATION");
  }
  await job.cleanup();
  await record(deps, run, log.failed.aborted ? withoutLog(outcome) : stoppedInstead(outcome), { last });
}

function shown(text: string, secrets: readonly string[]): string {
  const bytes = Buffer.from(redactText(text, secrets));
  if (bytes.length <= MAX_TEXT) return bytes.toString();
  const kept = new TextDecoder("utf-8", { fatal: false }).decode(bytes.subarray(0, MAX_TEXT - 100), {
    stream: true,
  });
  return `${kept}\n(The plan is longer; only its first 1 MiB is stored.)\n`;
}
