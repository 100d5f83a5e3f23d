import type { JsonObject } from "@bufbuild/protobuf";
import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgSequence,
  pgTable,
  primaryKey,
  text,
  uuid,
} from "drizzle-orm/pg-core";
import {
  ACTIVE,
  END_REASONS,
  type EndReason,
  FINAL,
  OWNED,
  STATUSES,
  type Status,
} from "../../task/status.ts";
import type { Plan, TaskSpec } from "../../task/types.ts";
import { bytea, count, time, words } from "./columns.ts";
import { projects } from "./resources.ts";

/** One row for each task. The template has no foreign key: the record of a task outlives its template. */
export const tasks = pgTable(
  "tasks",
  {
    id: uuid("id").primaryKey(),
    project: text("project")
      .notNull()
      .references(() => projects.name),
    template: text("template").notNull(),
    app: text("app").notNull(),
    status: text("status").$type<Status>().notNull(),
    priority: integer("priority").notNull(),
    labels: jsonb("labels").$type<Record<string, string>>().notNull(),
    spec: jsonb("spec").$type<TaskSpec>().notNull(),
    secrets: bytea("secrets"),
    /** Names of callers (task/caller.ts) who created the task, first requested its end, and decided on its plan. */
    createdBy: text("created_by").notNull().default(""),
    killBy: text("kill_by").notNull().default(""),
    decidedBy: text("decided_by").notNull().default(""),
    createTime: time("create_time").notNull(),
    startTime: time("start_time"),
    queueDeadline: time("queue_deadline"),
    runDeadline: time("run_deadline"),
    confirmDeadline: time("confirm_deadline"),
    plan: jsonb("plan").$type<Plan>(),
    version: text("version").notNull().default(""),
    buildTask: uuid("build_task"),
    incomingVersion: text("incoming_version").notNull().default(""),
    commitHash: text("commit_hash").notNull().default(""),
    commitMessage: text("commit_message").notNull().default(""),
    node: uuid("node"),
    executor: text("executor").notNull().default("local"),
    /**
     * Handle of the executor. The column has the name of the `local` executor's handle, so that older servers find it.
     */
    executorHandle: text("boot_id"),
    leaseEpoch: integer("lease_epoch").notNull().default(0),
    leaseExpires: time("lease_expires"),
    killTime: time("kill_time"),
    killForce: boolean("kill_force").notNull().default(false),
    killDeadline: time("kill_deadline"),
    killReason: text("kill_reason").notNull().default(""),
    endTime: time("end_time"),
    exitCode: integer("exit_code"),
    signal: text("signal"),
    endReason: text("end_reason").$type<EndReason>(),
    endMessage: text("end_message").notNull().default(""),
    /** The task is LOST, and its node has not reported yet that no process of it is left. */
    mayStillRun: boolean("may_still_run").notNull().default(false),
  },
  (t) => [
    check("tasks_status", sql`${t.status} IN (${words(STATUSES)})`),
    check("tasks_end_reason", sql`${t.endReason} IN (${words(END_REASONS)})`),
    check("tasks_ended", sql`(${t.endTime} IS NOT NULL) = (${t.status} IN (${words(FINAL)}))`),
    check(
      "tasks_success",
      sql`${t.status} NOT IN (${words(FINAL)}) OR (${t.endReason} IS NULL) = (${t.status} = 'SUCCESS')`,
    ),
    check(
      "tasks_owned",
      sql`${t.status} NOT IN (${words(OWNED)}) OR (${t.node} IS NOT NULL AND ${t.leaseExpires} IS NOT NULL)`,
    ),
    // Three indexes for each order of a list: all tasks, a project, a template, each by status
    // (store/tasks/task-ranges.ts).
    index("tasks_status").on(t.status, t.id),
    index("tasks_project").on(t.project, t.status, t.id),
    index("tasks_template").on(t.project, t.template, t.status, t.id),
    index("tasks_status_start_time").on(t.status, t.startTime, t.id).where(sql`${t.startTime} IS NOT NULL`),
    index("tasks_project_start_time")
      .on(t.project, t.status, t.startTime, t.id)
      .where(sql`${t.startTime} IS NOT NULL`),
    index("tasks_template_start_time")
      .on(t.project, t.template, t.status, t.startTime, t.id)
      .where(sql`${t.startTime} IS NOT NULL`),
    index("tasks_status_end_time").on(t.status, t.endTime, t.id).where(sql`${t.endTime} IS NOT NULL`),
    index("tasks_project_end_time")
      .on(t.project, t.status, t.endTime, t.id)
      .where(sql`${t.endTime} IS NOT NULL`),
    index("tasks_template_end_time")
      .on(t.project, t.template, t.status, t.endTime, t.id)
      .where(sql`${t.endTime} IS NOT NULL`),
    index("tasks_labels").using("gin", t.labels.op("jsonb_path_ops")).where(sql`${t.labels} <> '{}'`),
    index("tasks_waiting")
      .on(t.project, t.template, t.priority.desc(), t.id)
      .where(sql`${t.status} = 'WAITING'`),
    index("tasks_queue_deadline").on(t.queueDeadline).where(sql`${t.status} = 'WAITING'`),
    index("tasks_active")
      .on(t.project, t.template)
      .where(sql`${t.status} IN (${words(ACTIVE)})`),
    index("tasks_may_still_run").on(t.project, t.template).where(sql`${t.mayStillRun}`),
    index("tasks_owned_by")
      .on(t.node, t.leaseExpires)
      .where(sql`${t.status} IN (${words(OWNED)})`),
  ],
);

/**
 * The head of a task: its last line number, event count and stored offsets. A separate table, since every chunk updates
 * it. Its row lock puts chunks and status changes into one order.
 */
export const taskHeads = pgTable("task_heads", {
  taskId: uuid("task_id")
    .primaryKey()
    .references(() => tasks.id, { onDelete: "cascade" }),
  leaseEpoch: integer("lease_epoch").notNull().default(0),
  lastSeq: count("last_seq").notNull().default(0),
  events: integer("events").notNull().default(0),
  stdoutOffset: count("stdout_offset").notNull().default(0),
  stderrOffset: count("stderr_offset").notNull().default(0),
  logBytes: count("log_bytes").notNull().default(0),
});

/** Every committed change of status, in order. */
export const taskEvents = pgTable(
  "task_events",
  {
    taskId: uuid("task_id")
      .notNull()
      .references(() => tasks.id, { onDelete: "cascade" }),
    ordinal: integer("ordinal").notNull(),
    status: text("status").$type<Status>().notNull(),
    time: time("time").notNull(),
    afterSeq: count("after_seq").notNull(),
    message: text("message").notNull().default(""),
    /** Name of the caller who caused the change; empty: the service did. */
    by: text("by").notNull().default(""),
    /** Position among the events of all tasks, assigned after the commit; null until then. */
    position: count("position"),
  },
  (t) => [
    primaryKey({ columns: [t.taskId, t.ordinal] }),
    index("task_events_position").on(t.position).where(sql`${t.position} IS NOT NULL`),
    index("task_events_unplaced").on(t.taskId, t.ordinal).where(sql`${t.position} IS NULL`),
  ],
);

/** Counts the events of all tasks. */
export const eventPositions = pgSequence("task_event_positions");

/** The readable text of a Terraform plan: zstd-compressed, secrets masked. */
export const taskPlans = pgTable("task_plans", {
  taskId: uuid("task_id")
    .primaryKey()
    .references(() => tasks.id, { onDelete: "cascade" }),
  text: bytea("text").notNull(),
});

/** The result of a task: the proto3 JSON of a signalman.v1.TaskResult. */
export const taskResults = pgTable("task_results", {
  taskId: uuid("task_id")
    .primaryKey()
    .references(() => tasks.id, { onDelete: "cascade" }),
  result: jsonb("result").$type<JsonObject>().notNull(),
});

const chunkColumns = () => ({
  firstSeq: count("first_seq").notNull(),
  lastSeq: count("last_seq").notNull(),
  stdoutLines: integer("stdout_lines").notNull(),
  stderrLines: integer("stderr_lines").notNull(),
  systemLines: integer("system_lines").notNull(),
  data: bytea("data").notNull(),
});

/**
 * Consecutive lines: `data` is a zstd-compressed signalman.v1.LogBatch. Partitioned by range of the task's
 * UUIDv7, one partition a day (store/logs/partitions.ts), which the migration declares by hand.
 */
export const logChunks = pgTable(
  "log_chunks",
  {
    taskId: uuid("task_id").notNull(),
    ...chunkColumns(),
  },
  (t) => [primaryKey({ columns: [t.taskId, t.firstSeq] })],
);

/**
 * Late lines of a LOST task: output that its node still had when it came back, after the log had ended. Numbered from 1; all of
 * them are stored at once.
 */
export const lateChunks = pgTable(
  "late_chunks",
  {
    taskId: uuid("task_id")
      .notNull()
      .references(() => tasks.id, { onDelete: "cascade" }),
    ...chunkColumns(),
  },
  (t) => [primaryKey({ columns: [t.taskId, t.firstSeq] })],
);

/** Request ids and the tasks that they created. No foreign key: a deleted task's request id stays used. */
export const taskRequests = pgTable(
  "task_requests",
  {
    requestId: uuid("request_id").primaryKey(),
    taskId: uuid("task_id").notNull(),
    bodyHash: bytea("body_hash").notNull(),
    createTime: time("create_time").notNull().defaultNow(),
  },
  (t) => [index("task_requests_create_time").on(t.createTime)],
);
