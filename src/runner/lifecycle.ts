import { executorOf } from "../jobs/executor.ts";
import { familyOf } from "../jobs/families.ts";
import type { FoundPlan, Program } from "../jobs/job.ts";
import type { RunRows } from "../store/tasks/details.ts";
import type { Lease } from "../store/tasks/moves.ts";
import { LeaseLost, PrepareError } from "../task/errors.ts";
import { msSince } from "../task/operator-log.ts";
import type { TaskOutcome } from "../task/types.ts";
import { type RunControl, StopRequested } from "./control.ts";
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
import { returnToQueue, ServerFault } from "./server-fault.ts";
import { supervise } from "./supervise.ts";

/**
 * A task's life on this server, from the claim (or the takeover from a dead server) to its recorded end:
 *
 *   STARTING: details, hooks, workspace → RUNNING: program, output → cleanup → SUCCESS, ERROR or STOPPED
 *
 * A program that made a plan may leave it to be confirmed. Then this run is over too, and the next one goes
 *
 *   CONFIRMED: details → RUNNING: program that applies that plan, output → cleanup → SUCCESS, ERROR or STOPPED
 *
 * A task that this server cannot start, for want of disk, descriptors or processes, goes back to the queue.
 *
 * Returns when the task has ended, or when it is somebody else's: on shutdown a program that runs is left alone and
 * a task that was not started goes back to the queue; if the lease is lost, nothing
 * more is stored, and the job decides what becomes of the program.
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
  // Before its program is looked at: it may have ended by the kill that an earlier server began.
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
  // The pool has told of a task that it claimed.
  if (run.mayRun) deps.operatorLog.step(task.status === "CONFIRMED" ? "resumed" : "adopted", task);
  run.hooks = [...registeredHooks(rows, run), ...deps.hooks];
  try {
    const { outcome, waiting } = await verdictOn(deps, run);
    if (waiting) await park(deps, run, waiting, outcome);
    else await end(deps, run, outcome);
  } catch (error) {
    if (error instanceof LeaseLost || control.reason === "lease_lost") {
      deps.operatorLog.step("taken away", task);
      return job.abandon();
    }
    if (error instanceof ServerFault && !error.mayHaveStarted) return returnToQueue(deps, run, error);
    if (!shutdown.aborted) throw error;
    await leave(deps, run);
  }
}

/** Undefined: the task is somebody else's, or went back to the queue because the server goes. */
async function load(
  { store, operatorLog }: RunnerDeps,
  lease: Lease,
  shutdown: AbortSignal,
): Promise<RunRows | undefined> {
  try {
    return await store.load(lease);
  } catch (error) {
    if (error instanceof LeaseLost) return undefined;
    if (!shutdown.aborted) throw error;
    await putBack({ store, operatorLog }, lease);
    return undefined;
  }
}

/** How a run ends: with an outcome, or with a plan that waits. */
interface Verdict {
  outcome: TaskOutcome;
  waiting?: FoundPlan | undefined;
}

/** Everything up to the end of the program. */
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
    if (control.reason === "lease_lost") throw new LeaseLost(task.id);
    const outcome = outcomeOfExit(exit, control.reason, task.spec);
    if (control.reason === undefined && isOutputMissing) return { outcome: withoutOutput(outcome) };
    return { outcome, waiting: outcome.status === "SUCCESS" ? await run.job.waitingPlan() : undefined };
  } catch (error) {
    if (error instanceof LeaseLost || control.reason === "lease_lost" || shutdown.aborted) throw error;
    const fault = control.reason ? undefined : await deps.faultBehind(error, task.id);
    if (fault) throw new ServerFault(fault, mayHaveStarted, error);
    if (!(error instanceof PrepareError || error instanceof StopRequested)) deps.onDefect(task.id, error);
    return { outcome: outcomeOfFailure(error, control.reason, task.spec) };
  }
}

/** For hooks after a task that an earlier server began; its template may have changed since. */
function detailsAgain({ task, rows }: TaskRun, secrets: Secrets): TaskDetails | undefined {
  try {
    return populateDetails(task, rows, secrets);
  } catch {
    return undefined;
  }
}

/** The program of a task that an earlier server started; undefined: there is none, and starting it is safe. */
async function takeOver({ task, job, control }: TaskRun): Promise<Program | "lost" | undefined> {
  if (task.status === "STARTING" || task.status === "CONFIRMED") return undefined;
  const program = await job.attach();
  if (typeof program === "object" || task.status === "RUNNING") return program;
  control.stop("user", 0);
  throw new StopRequested("user");
}

/** All that the program needs; then RUNNING, committed; then the program. */
async function begin(deps: RunnerDeps, run: TaskRun, secrets: Secrets, kept: KeptSecrets): Promise<Program> {
  const { task, job } = run;
  const details = populateDetails(task, run.rows, secrets);
  // A plan is applied with the values that it was made with.
  if (task.plan && kept.variables) details.secretVariables = kept.variables;
  run.details = details;
  // Hooks and workspace were there before the plan that was confirmed.
  if (task.plan) await job.prepareApply(details, task.plan);
  else await prepare(deps, run, details, shortSecrets(secrets));
  await keepSecrets(deps.cipher, run);
  if (!run.mayRun || task.status === "CONFIRMED") await enterRunning(deps, run);
  const program = await job.start();
  run.started = new Date();
  deps.operatorLog.step("started", task, { preparedMs: msSince(run.began) });
  return program;
}

/** Hooks and workspace. `short`: names of secrets that cannot be masked. */
async function prepare(
  deps: RunnerDeps,
  run: TaskRun,
  details: TaskDetails,
  short: readonly string[],
): Promise<void> {
  const { task, job, log, control, shutdown } = run;
  if (short.length > 0) log.say(`Too short to be masked in this log: ${short.join(", ")}`);
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
  throw new StopRequested("user");
}

/** The server goes. What runs, may run or was confirmed is taken over by the next one on this data folder. */
async function leave(deps: RunnerDeps, { task, job, mayRun }: TaskRun): Promise<void> {
  if (mayRun) return deps.operatorLog.step("left running", task);
  await job.cleanup();
  await putBack(deps, task);
}

/** Into the queue. If that fails, the lease expires, or the next server on this data folder finds the task. */
async function putBack(
  { store, operatorLog }: Pick<RunnerDeps, "store" | "operatorLog">,
  lease: Lease,
): Promise<void> {
  const moved = await store.release(lease);
  if (moved) operatorLog.step("put back", moved);
}
