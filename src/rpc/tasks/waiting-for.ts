import { create } from "@bufbuild/protobuf";
import { type WaitingFor, WaitingForSchema, WaitReason } from "../../../gen/signalman/v1/task_pb.ts";
import type { Wait } from "../../store/nodes/waits.ts";
import type { TaskRecord } from "../../task/types.ts";
import { resourceName, taskName } from "../names.ts";

type Waiting = Pick<TaskRecord, "id" | "project" | "template" | "status">;

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
function waitingFor({ project, template }: Waiting, wait: Wait): WaitingFor | undefined {
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
  const name = resourceName("templates", project, template);
  const say = (reason: WaitReason, message: string, task: string | null = null) =>
    create(WaitingForSchema, { reason, message, task: task ? taskName({ project, id: task }) : "" });
  if (lostTask)
    return say(
      WaitReason.TEMPLATE_BLOCKED,
      `${name} runs one task at a time, and its task ${lostTask} is LOST: it may still run on node ${lostNode}. Start that node again. If you have made sure that nothing of it runs: \`signalman kill --abandon ${project}/${lostTask}\`, or, if the machine is gone, \`signalman nodes forget ${lostNode}\``,
      lostTask,
    );
  if (activeTask)
    return say(
      WaitReason.TEMPLATE_BUSY,
      `${name} runs one task at a time, and its task ${activeTask} has not ended; wait for it, or set allow_parallel_tasks`,
      activeTask,
    );
  if (projectLimit > 0 && projectActive >= projectLimit)
    return say(
      WaitReason.PROJECT_LIMIT,
      `projects/${project} has reached its max_parallel_tasks (limit: ${projectLimit}, active: ${projectActive}); wait for a task to end, or raise the limit`,
    );
  if (readyNodes === 0)
    return say(
      WaitReason.NO_NODE,
      `No node that runs tasks${nodeTags.length > 0 ? ` and has the tags ${nodeTags.join(", ")}` : ""} is READY; \`signalman nodes\` shows the state of each`,
    );
  if (usedSlots >= slots)
    return say(
      WaitReason.NO_SLOT,
      `All slots of the ready nodes are used (nodes: ${readyNodes}, slots: ${slots}); wait for a task to end, or start a server with a higher --max-parallel-tasks`,
    );
  return undefined;
}
