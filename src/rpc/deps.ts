import type { Callers } from "../access/callers.ts";
import { coalesce } from "../async/coalesce.ts";
import { remember } from "../async/remember.ts";
import type { Cipher } from "../keys/cipher.ts";
import { createChanges } from "../live/changes.ts";
import type { Hub } from "../live/hub.ts";
import {
  createAccount,
  deleteAccount,
  getAccount,
  listAccounts,
  updateAccount,
} from "../store/accounts/accounts.ts";
import { createToken, listTokens, revokeToken } from "../store/accounts/tokens.ts";
import { listAuditEvents } from "../store/audit.ts";
import { changeProject } from "../store/catalog/catalog.ts";
import { assertProject, getResource, listResources, readProject } from "../store/catalog/resources.ts";
import { countLateLines } from "../store/logs/late.ts";
import { findTail, readChunks } from "../store/logs/logs.ts";
import { abandonTask } from "../store/nodes/abandon.ts";
import { drainNode, forgetNode, getNode, listNodes } from "../store/nodes/nodes.ts";
import { readWaits } from "../store/nodes/waits.ts";
import type { Databases } from "../store/postgres/databases.ts";
import { lateChunks } from "../store/schema/tasks.ts";
import { deleteTask } from "../store/tasks/deletions.ts";
import { loadTemplate } from "../store/tasks/details.ts";
import { highestPosition, placeEvents, readEvents, readOpenTasks } from "../store/tasks/events.ts";
import { findTask } from "../store/tasks/find-task.ts";
import { killTemplate, requestKill } from "../store/tasks/kills.ts";
import { confirmPlan, readPlanText, rejectPlan } from "../store/tasks/plans.ts";
import { readProgress } from "../store/tasks/progress.ts";
import { readResult } from "../store/tasks/results.ts";
import { listTasks } from "../store/tasks/task-list.ts";
import { createTask, getTask, type TaskView } from "../store/tasks/tasks.ts";
import { findBuild } from "../store/tasks/versions.ts";
import { taskName } from "./names.ts";
import type { RpcDeps } from "./routes.ts";
import { changeOf } from "./tasks/tasks-events.ts";

export interface RpcParts {
  callers: Pick<Callers, "observe">;
  cipher: Cipher;
  hub: Hub;
  operatorLog: RpcDeps["operatorLog"];
  inspectApps: RpcDeps["inspectApps"];
  isolation: RpcDeps["isolation"];
  recordRefusal: RpcDeps["recordRefusal"];
  appNames: readonly string[];
  lostTimeoutMs: number;
  runsTasks: boolean;
  onCreated(taskId: string): void;
  onDecided(task: TaskView): void;
  onChanged(taskId: string): void;
}

/**
 * Maximum number of tasks whose template and creator are remembered: an account's call about such a task needs no query for
 * them.
 */
const TASKS_REMEMBERED = 10_000;

/** Returns the dependencies of the RPCs, bound to this server's databases. */
export function rpcDeps({ control, logs, reads }: Databases, parts: RpcParts): RpcDeps {
  const readTask = coalesce((project: string, id: string) => getTask(reads, project, id));
  return {
    ...parts,
    listAuditEvents: (query) => listAuditEvents(reads, query),
    observe: (...args) => parts.callers.observe(...args),
    findTask: remember(TASKS_REMEMBERED, taskName, ({ project, id }) => findTask(reads, project, id)),
    createAccount: (...args) => createAccount(control, ...args),
    getAccount: (...args) => getAccount(reads, ...args),
    listAccounts: (...args) => listAccounts(reads, ...args),
    updateAccount: (...args) => updateAccount(control, ...args),
    deleteAccount: (...args) => deleteAccount(control, ...args),
    createToken: (...args) => createToken(control, ...args),
    listTokens: (...args) => listTokens(reads, ...args),
    revokeToken: (...args) => revokeToken(control, ...args),
    loadTemplate: (project, name) => loadTemplate(control, project, name),
    findBuild: (of, id) => findBuild(control, of, id),
    createTask: (...args) => createTask(control, ...args),
    confirmPlan: (...args) => confirmPlan(control, ...args),
    rejectPlan: (...args) => rejectPlan(control, ...args),
    readPlanText: (id) => readPlanText(reads, id),
    requestKill: (task, request) => requestKill(control, task, request),
    abandonTask: (...args) => abandonTask(control, ...args),
    killTemplate: (template, request) => killTemplate(control, template, request),
    deleteTask: (...args) => deleteTask(logs, ...args),
    changeProject: (...args) => changeProject(control, ...args),
    readWaits: coalesce((...ids: string[]) => readWaits(reads, ids)),
    getNode: (id) => getNode(reads, id, parts.lostTimeoutMs),
    listNodes: (page) => listNodes(reads, page, parts.lostTimeoutMs),
    drainNode: (id, draining, actor) =>
      drainNode(control, id, { draining, lostTimeoutMs: parts.lostTimeoutMs }, actor),
    async forgetNode(id, actor) {
      const moved = await forgetNode(control, id, actor);
      for (const task of moved) parts.onChanged(task.id);
      return moved;
    },
    getTask: ({ project, id }) => readTask(project, id),
    changes: createChanges({
      hub: parts.hub,
      place: () => placeEvents(reads),
      read: async (range, limit) => (await readEvents(reads, range, limit)).map(changeOf),
    }),
    assertProject: (project) => reads.run((db) => assertProject(db, project)),
    highestPosition: () => highestPosition(reads),
    readOpenTasks: (...args) => readOpenTasks(reads, ...args),
    readChanges: async (...args) => (await readEvents(reads, ...args)).map(changeOf),
    async listTasks(query) {
      const { project } = query;
      if (project !== null && query.after === null) await reads.run((db) => assertProject(db, project));
      return listTasks(reads, query);
    },
    readProgress: coalesce((id: string, afterOrdinal: number) => readProgress(reads, id, afterOrdinal)),
    readChunks: (...args) => readChunks(reads, ...args),
    late: {
      readChunks: (...args) => readChunks(reads, ...args, lateChunks),
      findTail: (...args) => findTail(reads, ...args, lateChunks),
      countLines: (id) => countLateLines(reads, id),
    },
    readResult: (...args) => readResult(reads, ...args),
    findTail: (...args) => findTail(reads, ...args),
    readProject: (name) => readProject(reads, name),
    getResource: (...args) => getResource(reads, ...args),
    listResources: (...args) => listResources(reads, ...args),
  };
}
