import { create } from "@bufbuild/protobuf";
import { type WaitingFor, WaitingForSchema, WaitReason } from "../../../gen/signalman/v1/task_pb.ts";
import type { Wait } from "../../store/nodes/waits.ts";
import type { TaskRecord } from "../../task/types.ts";
import { taskName } from "../names.ts";

type Waiting = Pick<TaskRecord, "id" | "project" | "status">;

export interface WaitsDeps {
  /** Reads why tasks wait; tasks that do not wait are left out. */
  readWaits(...ids: string[]): Promise<Wait[]>;
}

/** Reads why the waiting ones among tasks have not started, by task id. A task that is about to start has no entry. */
export async function waitsOf(
  { readWaits }: WaitsDeps,
  tasks: readonly Waiting[],
): Promise<ReadonlyMap<string, WaitingFor>> {
  const waiting = new Map(tasks.filter(({ status }) => status === "WAITING").map((task) => [task.id, task]));
  if (waiting.size === 0) return new Map();
  const found = new Map<string, WaitingFor>();
  for (const wait of await readWaits(...waiting.keys())) {
    const task = waiting.get(wait.id);
    const message = task && waitingFor(task, wait);
    if (message) found.set(wait.id, message);
  }
  return found;
}

/** Returns why a task waits, by the order of the admission rules; undefined: it is about to start. */
function waitingFor({ project }: Waiting, wait: Wait): WaitingFor | undefined {
  const {
    lostTask,
    lostNode,
    activeTask,
    projectLimit,
    projectActive,
    nodeTags,
    readyNodes,
    slots,
    usedSlots,
  } = wait;
  const one = `the template runs one task at a time, and ${project}/`;
  const say = (reason: WaitReason, message: string, task: string | null = null) =>
    create(WaitingForSchema, { reason, message, task: task ? taskName({ project, id: task }) : "" });
  if (lostTask)
    return say(
      WaitReason.TEMPLATE_BLOCKED,
      `${one}${lostTask} is LOST and may still run on node ${lostNode}. Start that node again. If you have made sure that nothing of the task runs: \`signalman kill --abandon ${project}/${lostTask}\`, or, if the machine is gone, \`signalman nodes forget ${lostNode}\``,
      lostTask,
    );
  if (activeTask) return say(WaitReason.TEMPLATE_BUSY, `${one}${activeTask} has not ended`, activeTask);
  if (projectLimit > 0 && projectActive >= projectLimit)
    return say(
      WaitReason.PROJECT_LIMIT,
      `the project may run ${projectLimit} tasks at once (maxParallelTasks), and ${projectActive} have not ended`,
    );
  if (readyNodes === 0)
    return say(
      WaitReason.NO_NODE,
      `no node that runs tasks${nodeTags.length > 0 ? ` and has the tags ${nodeTags.join(", ")}` : ""} is READY; see \`signalman nodes\``,
    );
  if (usedSlots >= slots)
    return say(
      WaitReason.NO_SLOT,
      `all slots for tasks are used (ready nodes: ${readyNodes}, slots: ${slots}); see --max-parallel-tasks`,
    );
  return undefined;
}
