import type { WatchTasksRequest, WatchTasksResponse } from "../../../gen/signalman/v1/task_service_pb.ts";
import { scopesOf } from "../../access/rights.ts";
import type { Change, ChangeSubscription } from "../../live/changes.ts";
import { retryTransient } from "../../store/postgres/transient-errors.ts";
import type { OpenTasks } from "../../store/tasks/events.ts";
import { type FixedTerm, isSelected, type TaskSelection } from "../../store/tasks/task-terms.ts";
import { invalid } from "../../task/errors.ts";
import type { Call } from "../call.ts";
import { parseResourceName } from "../names.ts";
import { queryToken, readQueryToken } from "../query-token.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { taskMessage } from "./messages.ts";
import { parseFixedFilter } from "./task-filter.ts";
import { createTasksEventMaker, type TasksEventMaker, taskAt } from "./tasks-events.ts";

type Selection = TaskSelection<FixedTerm>;

export interface WatchTasksDeps {
  changes: { subscribe(): ChangeSubscription };
  /** @throws Failure not_found if there is no such project. */
  assertProject(project: string): Promise<void>;
  highestPosition(): Promise<number>;
  readOpenTasks(
    selection: Selection,
    position: number,
    page: { afterId: string | null; limit: number },
  ): Promise<OpenTasks>;
  readChanges(range: { after: number; to: number }, limit: number, selection: Selection): Promise<Change[]>;
}

/** State of one watch: its selection of tasks and the means to send events. */
interface Watch {
  deps: WatchTasksDeps;
  selection: Selection;
  make: TasksEventMaker;
  token(position: number): string;
  subscription: ChangeSubscription;
  signal: AbortSignal;
}

/** Maximum number of tasks or changes that one query returns. */
const PAGE = 200;
/** Maximum number of positions that one query searches; only few of them may match the filter. */
const SPAN = 20_000;
const POSITION = /^\d{1,15}$/;

/**
 * Yields the changes of many tasks in the order of their positions. Watchers at the tip share the newest changes; a watcher
 * behind it reads the store at its own pace. Never returns.
 * @throws the signal's reason.
 */
export async function* watchTasks(
  deps: WatchTasksDeps,
  request: WatchTasksRequest,
  { caller, signal, isJson }: Call,
): AsyncGenerator<WatchTasksResponse> {
  const { parent, filter } = request;
  const { project } = parseResourceName(parent);
  const selection = {
    scopes: scopesOf(caller, "tasks.read"),
    project: project === "-" ? null : project,
    terms: parseFixedFilter(filter),
  };
  if (selection.project !== null) await deps.assertProject(selection.project);
  const start = await startOf(deps, request);
  using subscription = deps.changes.subscribe();
  const make = createTasksEventMaker(isJson);
  const token = (position: number) => queryToken(String(position), [parent, filter]);
  const watch: Watch = { deps, selection, make, token, subscription, signal };
  const heartbeat = startHeartbeat(make, request.heartbeatInterval);
  let at = start ?? (yield* snapshot(watch));
  const beat = () => make.event(token(at), { case: "heartbeat", value: {} });
  // A first heartbeat, since Connect sends headers with the first message: the caller learns at once that it is connected.
  if (start !== undefined) yield beat();
  for (;;) {
    signal.throwIfAborted();
    const { tip = at } = subscription;
    if (at < tip) at = yield* advance(watch, at, tip);
    else await subscription.changed(heartbeat.leftMs(), signal);
    if (heartbeat.leftMs() === 0) yield beat();
  }
}

/** Returns the position at which to start; undefined: with a snapshot. */
async function startOf(deps: WatchTasksDeps, request: WatchTasksRequest): Promise<number | undefined> {
  const highest = await deps.highestPosition();
  const { parent, filter, resumeToken } = request;
  if (resumeToken === "") return undefined;
  const position = Number(readQueryToken("resume_token", resumeToken, [parent, filter], POSITION));
  if (position <= highest) return position;
  throw invalid([
    {
      field: "resume_token",
      description:
        "is of another database, or of a later state of this database than was restored; start without it",
    },
  ]);
}

/** Yields the tasks that had not ended at one position, and returns that position. */
async function* snapshot({
  deps,
  selection,
  make,
  token,
  subscription,
  signal,
}: Watch): AsyncGenerator<WatchTasksResponse, number> {
  let position = subscription.tip;
  for (; position === undefined; position = subscription.tip) {
    signal.throwIfAborted();
    await subscription.changed(1000, signal);
  }
  const at = position;
  let afterId: string | null = null;
  do {
    const page: OpenTasks = await retryTransient(
      () => deps.readOpenTasks(selection, at, { afterId, limit: PAGE }),
      signal,
    );
    for (const { task, status } of page.tasks) {
      signal.throwIfAborted();
      yield make.event("", { case: "snapshot", value: { task: taskMessage(taskAt(task, status)) } });
    }
    afterId = page.afterId;
  } while (afterId !== null);
  yield make.event(token(at), { case: "synced", value: {} });
  return at;
}

/** Yields some of the changes after a position, and returns the position up to which all were sent. */
async function* advance(
  watch: Watch,
  after: number,
  tip: number,
): AsyncGenerator<WatchTasksResponse, number> {
  const { deps, selection, make, token, subscription, signal } = watch;
  const here = subscription.changesAfter(after);
  if (here) {
    for (const change of here) {
      signal.throwIfAborted();
      if (isSelected(selection, change)) yield make.change(token(change.position), change);
    }
    return tip;
  }
  const to = Math.min(tip, after + SPAN);
  const stored = await retryTransient(() => deps.readChanges({ after, to }, PAGE, selection), signal);
  for (const change of stored) {
    signal.throwIfAborted();
    yield make.change(token(change.position), change);
  }
  return stored.length < PAGE ? to : (stored.at(-1)?.position ?? to);
}
