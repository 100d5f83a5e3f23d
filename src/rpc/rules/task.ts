import { z } from "zod";
import { LogStreamSchema } from "../../../gen/signalman/v1/task_pb.ts";
import { LogFormatSchema } from "../../../gen/signalman/v1/task_service_pb.ts";
import { gracePeriod, heartbeat, timeout, waitTime } from "./durations.ts";
import { known } from "./enums.ts";
import { env, labels, secretVariables, variables } from "./maps.ts";
import { fullName, optionalName, parentOrAll } from "./names.ts";
import { page } from "./paging.ts";
import { PATTERNS } from "./resources.ts";
import { type Breach, free, received, rule, ruleAt } from "./rule.ts";
import { args, commit, int, required, sequence, textUpTo, uuid } from "./values.ts";

const TASK = "projects/{project}/tasks/{uuid}";
const LINES = 1_000_000;

const ansibleParams = z.object({
  limit: ruleAt(args(), "no pattern may begin with `@`, which makes Ansible read a file", filesIn),
  tags: args(),
  skip_tags: args(),
  verbosity: int("0 to 6", 0, 6),
  check: free(),
  diff: free(),
  refresh_requirements: free(),
});

/**
 * Returns a breach for each limit in which a pattern begins with `@`: callers must not make Ansible read files with the
 * server's rights. One limit can hold several patterns, and Ansible separates them by commas, colons, stray brackets and
 * everything that Python regards as white space.
 */
function filesIn(limit: readonly string[]): Breach[] {
  return limit.flatMap((text, index) =>
    /(?<![\p{L}\p{N}._-])@/u.test(text) ? [{ path: [index], got: received(text) }] : [],
  );
}

const runTask = z.object({
  template: fullName(PATTERNS.templates),
  request_id: uuid(),
  variables: variables(),
  secret_variables: secretVariables(),
  env: env(),
  arguments: args(),
  git_branch: free(),
  commit: commit(),
  message: textUpTo(250),
  labels: labels(),
  priority: int("1 to 100", 1, 100),
  queue_timeout: timeout(),
  run_timeout: timeout(),
  idle_timeout: timeout(),
  validate_only: free(),
  inventory: optionalName(PATTERNS.inventories),
  ansible: ansibleParams.optional(),
  terraform: z
    .object({
      plan_only: free(),
      destroy: free(),
      auto_approve: free(),
      upgrade: free(),
      reconfigure: free(),
    })
    .optional(),
  confirm_timeout: timeout(),
  build_task: optionalName(TASK),
  wait: waitTime(),
});

/** A name in both maps is refused. The error shows the name alone, since one of the values is a secret. */
const runTaskRequest = ruleAt(
  runTask,
  "A name must not also be in `variables`",
  ({ variables = {}, secret_variables }) =>
    Object.keys(secret_variables)
      .filter((name) => Object.hasOwn(variables, name))
      .map((name) => ({ path: ["secret_variables", name], got: "it in both", isName: true })),
);

const streams = () => z.array(known(LogStreamSchema, { unspecified: false }));

const killing = () => ({
  force: free(),
  grace_period: gracePeriod(),
  reason: textUpTo(250),
});

const ORDERS = ["create_time", "start_time", "end_time"].flatMap((field) => [field, `${field} desc`]);
const order = () =>
  rule(
    z.string(),
    "`create_time`, `start_time` or `end_time`, alone (the oldest first) or with ` desc`",
    (text) => text === "" || ORDERS.includes(text),
  );

export const TASK_RULES = {
  "signalman.v1.RunTaskRequest": runTaskRequest,
  "signalman.v1.KillTaskRequest": z.object({ name: fullName(TASK), ...killing() }),
  "signalman.v1.AbandonTaskRequest": z.object({ name: fullName(TASK), reason: textUpTo(250) }),
  "signalman.v1.KillTasksRequest": z.object({ template: fullName(PATTERNS.templates), ...killing() }),
  "signalman.v1.DeleteTaskRequest": z.object({ name: fullName(TASK) }),
  "signalman.v1.ConfirmTaskRequest": z.object({ name: fullName(TASK), plan_digest: required() }),
  "signalman.v1.RejectTaskRequest": z.object({ name: fullName(TASK), reason: textUpTo(250) }),
  "signalman.v1.GetTaskPlanRequest": z.object({ name: fullName(TASK) }),
  "signalman.v1.GetTaskResultRequest": z.object({ name: fullName(TASK) }),
  "signalman.v1.WatchTasksRequest": z.object({
    parent: parentOrAll(),
    filter: free(),
    resume_token: free(),
    heartbeat_interval: heartbeat(),
  }),
  "signalman.v1.WatchTaskRequest": z.object({
    name: fullName(TASK),
    resume_token: free(),
    tail_lines: int("0 to 1000000", 0, LINES),
    after_seq: sequence(),
    follow: free(),
    logs: free(),
    streams: streams(),
    heartbeat_interval: heartbeat(),
  }),
  "signalman.v1.GetTaskRequest": z.object({ name: fullName(TASK) }),
  "signalman.v1.WaitTaskRequest": z.object({ name: fullName(TASK), timeout: waitTime() }),
  "signalman.v1.ListTasksRequest": z.object({
    parent: parentOrAll(),
    ...page(),
    filter: free(),
    order_by: order(),
  }),
  "signalman.v1.ReadTaskLogRequest": z.object({
    name: fullName(TASK),
    after_seq: sequence(),
    tail_lines: int("1 to 1000000", 1, LINES),
    max_lines: int("0 to 10000", 0, 10_000),
    streams: streams(),
    format: known(LogFormatSchema, { unspecified: true }),
    late: free(),
  }),
};
