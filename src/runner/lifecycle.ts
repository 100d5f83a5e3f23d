/*
 * The room runner/ brings one task from its claim, or from its takeover after another server, to its recorded end:
 *
 *   STARTING: details, hooks, workspace → RUNNING: program, output → cleanup → SUCCESS, ERROR or STOPPED
 *
 * A Terraform plan may have to wait for a confirmation. Its first run then ends, and ConfirmTask starts a second one:
 *
 *   CONFIRMED: details → RUNNING: program that applies the plan, output → cleanup → SUCCESS, ERROR or STOPPED
 *
 * The pool decides which tasks run here, a job (jobs/) runs the program, and the store writes every change under the
 * task's lease. A control (control.ts) stops a run, and the shutdown signal makes it leave the task. RUNNING is
 * committed before the program is started, so a program is never started twice. The end is committed last, together
 * with the last lines, when no process and no workspace is left. A task that this server cannot start, for want of disk
 * space, descriptors or processes, goes back to the queue.
 */

import { failpoint } from "../async/failpoint.ts";
import { executorOf } from "../jobs/executors/executor.ts";
import { familyOf } from "../jobs/families/all.ts";
import type { FoundPlan, Program } from "../jobs/job.ts";
import type { RunRows } from "../store/tasks/details.ts";
import type { Lease } from "../store/tasks/transitions.ts";
import { outdatedNames, REFUSED_FROM } from "../submission/outdated-names.ts";
import { LeaseLostError, PrepareError } from "../task/errors.ts";
import type { TaskOutcome } from "../task/types.ts";
import { msSince } from "../telemetry/operator-log.ts";
import { type RunControl, StopError } from "./control.ts";
import { populateDetails, type TaskDetails } from "./details.ts";
import { end } from "./end.ts";
import { registeredHooks } from "./hooks/registered.ts";
import { runBefore } from "./hooks.ts";
import { earlierSecrets, type KeptSecrets, keepSecrets } from "./kept-secrets.ts";
import { openRunLog } from "./logging.ts";
import { outcomeOfExit, outcomeOfFailure, withoutOutput } from "./outcome.ts";
import { park } from "./park.ts";
import { announce, contextOf, type RunnerDeps, type TaskRun } from "./run.ts";
import { openSecrets, type Secrets, secretValues, shortSecrets, usersInUrls } from "./secrets.ts";
import { returnToQueue, ServerFaultError } from "./server-fault.ts";
import { supervise } from "./supervise.ts";

/**
 * Runs a task under a lease. Resolves when the task has ended, waits for a confirmation, or no longer belongs to this
 * run: on shutdown a running program is left running and a task that was not started goes back to the queue; if the
 * lease is lost, nothing more is stored, and the job decides what happens to the program.
 */
export async function runTask(
  deps: RunnerDeps,
  lease: Lease,
  control: RunControl,
  shutdown: AbortSignal,
): Promise<void> {
  const loaded = await load(deps, lease, shutdown);
  if (!loaded) return;
  const { task, head, rows, runRemainingMs, killRemainingMs } = loaded;
  const { listeners, store } = deps;
  // Before the program is looked for, since it may have ended by the kill that an earlier server began.
  if (killRemainingMs !== null) control.stop("user", Math.max(0, killRemainingMs));
  await using log = openRunLog({ lease, head, listeners, storeChunks: store.storeChunks });
  const job = executorOf(deps.executors, task.executor).createJob(task, (text) => log.say(text));
  const from = { stdout: head.stdoutOffset, stderr: head.stderrOffset };
  const run: TaskRun = {
    task,
    rows,
    from,
    runRemainingMs,
    job,
    log,
    secrets: [],
    keys: new Map(),
    canMask: false,
    details: undefined,
    commit: { hash: task.commitHash, message: task.commitMessage },
    hooks: deps.hooks,
    control,
    shutdown,
    mayRun: task.status !== "STARTING",
    began: new Date(),
    started: task.startTime,
  };
  // The pool has logged the step "claimed" of a STARTING task.
  if (run.mayRun) deps.operatorLog.step(task.status === "CONFIRMED" ? "resumed" : "adopted", task);
  run.hooks = [...registeredHooks(rows, run, deps.mayCall), ...deps.hooks];
  try {
    const { outcome, waiting } = await verdictOn(deps, run);
    if (waiting) await park(deps, run, waiting, outcome);
    else await end(deps, run, outcome);
  } catch (error) {
    if (error instanceof LeaseLostError || control.reason === "lease_lost") {
      deps.operatorLog.step("taken away", task);
      if (await deps.keepLateLines([task.id])) await job.abandon();
      return;
    }
    if (error instanceof ServerFaultError && !error.mayHaveStarted)
      return await returnToQueue(deps, run, error);
    if (!shutdown.aborted) throw error;
    await leave(deps, run);
  }
}

/** Loads a task; undefined: the lease is lost, or the task went back to the queue because the server shuts down. */
async function load(
  { store, operatorLog }: RunnerDeps,
  lease: Lease,
  shutdown: AbortSignal,
): Promise<RunRows | undefined> {
  try {
    return await store.load(lease);
  } catch (error) {
    if (error instanceof LeaseLostError) return undefined;
    if (!shutdown.aborted) throw error;
    await putBack({ store, operatorLog }, lease);
    return undefined;
  }
}

/** Result of a run up to the end of its program: an outcome, and perhaps a plan that waits for a confirmation. */
interface Verdict {
  outcome: TaskOutcome;
  waiting?: FoundPlan | undefined;
}

/** Prepares the task, runs its program, and resolves when the program has ended. */
async function verdictOn(deps: RunnerDeps, run: TaskRun): Promise<Verdict> {
  const { task, control, shutdown } = run;
  let mayHaveStarted = task.status !== "STARTING" && task.status !== "CONFIRMED";
  try {
    const secrets = openSecrets(deps.cipher, task, run.rows);
    const kept = await earlierSecrets(deps.cipher, run);
    run.secrets = [...new Set([...secretValues(secrets), ...usersInUrls(run.rows), ...kept.values])];
    run.keys = secrets.keys;
    run.log.addSecrets(run.secrets);
    run.canMask = true;
    if (task.status !== "STARTING") run.details = detailsAgain(run, secrets);
    const found = await takeOver(run);
    if (found === "lost") return { outcome: outcomeOfExit({ kind: "lost" }, control.reason, task.spec) };
    mayHaveStarted = found !== undefined;
    const program = found ?? (await begin(deps, run, secrets, kept));
    mayHaveStarted = true;
    const { idleTimeoutMs, runTimeoutMs } = task.spec;
    const { exit, isOutputMissing } = await supervise({
      ...run,
      program,
      idleTimeoutMs,
      runTimeoutMs: run.runRemainingMs ?? runTimeoutMs,
      graceMs: familyOf(task.app).graceMs,
    });
    if (control.reason === "lease_lost") throw new LeaseLostError(task.id);
    const outcome = outcomeOfExit(exit, control.reason, task.spec);
    if (control.reason === undefined && isOutputMissing) return { outcome: withoutOutput(outcome) };
    return { outcome, waiting: outcome.status === "SUCCESS" ? await run.job.waitingPlan() : undefined };
  } catch (error) {
    if (error instanceof LeaseLostError || control.reason === "lease_lost" || shutdown.aborted) throw error;
    const fault = control.reason ? undefined : await deps.faultBehind(error, task.id);
    if (fault) throw new ServerFaultError(fault, mayHaveStarted, error);
    if (!(error instanceof PrepareError || error instanceof StopError)) deps.onDefect(task.id, error);
    return { outcome: outcomeOfFailure(error, control.reason, task.spec) };
  }
}

/**
 * Returns the details again, for the hooks after a task that an earlier server began; undefined: its template was
 * deleted or no longer allows the task.
 */
function detailsAgain({ task, rows }: TaskRun, secrets: Secrets): TaskDetails | undefined {
  try {
    return populateDetails(task, rows, secrets);
  } catch {
    return undefined;
  }
}

/** Returns the program that an earlier server started; undefined: none was started, so starting it is safe. */
async function takeOver({ task, job, control }: TaskRun): Promise<Program | "lost" | undefined> {
  if (task.status === "STARTING" || task.status === "CONFIRMED") return undefined;
  const program = await job.attach();
  if (typeof program === "object" || task.status === "RUNNING") return program;
  control.stop("user", 0);
  throw new StopError("user");
}

/** Prepares everything that the program needs, commits RUNNING, and starts the program. */
async function begin(deps: RunnerDeps, run: TaskRun, secrets: Secrets, kept: KeptSecrets): Promise<Program> {
  const { task, job } = run;
  const details = populateDetails(task, run.rows, secrets);
  // A plan is applied with the secret values that it was made with.
  if (task.plan && kept.variables) details.secretVariables = kept.variables;
  run.details = details;
  // The run that made the plan has run the hooks and filled the workspace.
  if (task.plan) await job.prepareApply(details, task.plan);
  else await prepare(deps, run, details, shortSecrets(secrets));
  await keepSecrets(deps.cipher, run);
  await failpoint("before-running");
  if (!run.mayRun || task.status === "CONFIRMED") await enterRunning(deps, run);
  await failpoint("before-spawn");
  const program = await job.start();
  run.started = new Date();
  await failpoint("after-spawn");
  deps.operatorLog.step("started", task, { preparedMs: msSince(run.began) });
  return program;
}

/**
 * Runs the hooks before the task and fills the workspace. `short`: names of secrets that are too short to be masked.
 */
async function prepare(
  deps: RunnerDeps,
  run: TaskRun,
  details: TaskDetails,
  short: readonly string[],
): Promise<void> {
  const { task, job, log, control, shutdown } = run;
  if (short.length > 0) log.say(`These secrets are too short to be masked in this log: ${short.join(", ")}`);
  for (const { name, description } of outdatedNames(details.template, details.variables))
    log.say(`Name ${JSON.stringify(name)} will be refused from ${REFUSED_FROM} on: ${description}`);
  const signal = AbortSignal.any([control.signal, shutdown]);
  await runBefore(run.hooks, contextOf(run), details, signal);
  const commit = await job.prepare(details, signal);
  if (commit.hash) {
    log.say(`At commit ${commit.hash.slice(0, 12)} ${commit.message}`);
    await deps.store.recordCommit(task, commit);
    run.commit = commit;
  }
}

async function enterRunning(deps: RunnerDeps, run: TaskRun): Promise<void> {
  run.shutdown.throwIfAborted();
  run.mayRun = true;
  if (await deps.store.markRunning(run.task, run.job.handle)) return announce(deps, run.task.id, "RUNNING");
  run.control.stop("user", 0);
  throw new StopError("user");
}

/**
 * Ends a run because the server shuts down. A program that may be running and a confirmed plan stay for the next server
 * on this data folder; any other task goes back to the queue.
 */
async function leave(deps: RunnerDeps, { task, job, mayRun }: TaskRun): Promise<void> {
  if (mayRun) return deps.operatorLog.step("left running", task);
  await job.cleanup();
  await putBack(deps, task);
}

/** Returns a task to the queue. If that fails, the lease expires, or the next server on this data folder finds it. */
async function putBack(
  { store, operatorLog }: Pick<RunnerDeps, "store" | "operatorLog">,
  lease: Lease,
): Promise<void> {
  const released = await store.release(lease);
  if (released) operatorLog.step("put back", released);
}
