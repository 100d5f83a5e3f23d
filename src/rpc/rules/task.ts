import { z } from "zod";
import { LogStreamSchema } from "../../../gen/signalman/v1/task_pb.ts";
import { LogFormatSchema } from "../../../gen/signalman/v1/task_service_pb.ts";
import { gracePeriod, heartbeat, timeout } from "./durations.ts";
import { known } from "./enums.ts";
import { env, labels, secretVariables, variables } from "./maps.ts";
import { fullName, parentOrAll } from "./names.ts";
import { page } from "./paging.ts";
import { free, ruleAt } from "./rule.ts";
import { args, commit, int, sequence, textUpTo, uuid } from "./values.ts";

const TASK = "projects/{project}/tasks/{uuid}";
const LINES = 1_000_000;

const runTask = z.object({
  template: fullName("projects/{project}/templates/{template}"),
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
});

/** Only the name is shown: the value is a secret in one of the two. */
const runTaskRequest = ruleAt(
  runTask,
  "A name stands in one of the two only",
  ({ variables = {}, secret_variables }) =>
    Object.keys(secret_variables)
      .filter((name) => Object.hasOwn(variables, name))
      .map((name) => ({ path: ["secret_variables", name], got: "it in `variables` too" })),
);

const streams = () => z.array(known(LogStreamSchema, { unspecified: false }));

export const TASK_RULES = {
  "signalman.v1.RunTaskRequest": runTaskRequest,
  "signalman.v1.KillTaskRequest": z.object({
    name: fullName(TASK),
    force: free(),
    grace_period: gracePeriod(),
    reason: textUpTo(250),
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
  "signalman.v1.ListTasksRequest": z.object({ parent: parentOrAll(), ...page(), filter: free() }),
  "signalman.v1.ReadTaskLogRequest": z.object({
    name: fullName(TASK),
    after_seq: sequence(),
    tail_lines: int("1 to 1000000", 1, LINES),
    max_lines: int("0 to 10000", 0, 10_000),
    streams: streams(),
    format: known(LogFormatSchema, { unspecified: true }),
  }),
};
