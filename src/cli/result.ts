import type {
  AnsibleFailure,
  AnsibleResult,
  TaskResult,
  TerraformResult,
} from "../../gen/signalman/v1/task_pb.ts";
import type { Session } from "./session.ts";
import { table } from "./terminal/table.ts";

/** Returns the result of a task; undefined if it has none or cannot be read, as from a server without GetTaskResult. */
export async function resultOf(session: Session, name: string): Promise<TaskResult | undefined> {
  const call = session.call(({ tasks }, options) => tasks.getTaskResult({ name }, options));
  return call.then(
    ({ result }) => result,
    () => undefined,
  );
}

/** Summary of a result in lines for people: the recap of Ansible, the counts of Terraform. Other apps have none. */
export function resultLines({ app }: TaskResult): string[] {
  if (app.case === "ansible") return ansibleLines(app.value);
  return app.case === "terraform" ? [terraformLine(app.value)] : [];
}

const COUNTS = ["ok", "changed", "unreachable", "failed", "skipped", "rescued", "ignored"] as const;

function ansibleLines({ hosts, failures }: AnsibleResult): string[] {
  const rows = hosts.map((host) => [host.host, ...COUNTS.map((count) => String(host[count]))]);
  const told = failures.filter(({ ignored }) => !ignored);
  return [...(rows.length > 0 ? table(["host", ...COUNTS], rows) : []), ...told.map(failureLine)];
}

function failureLine({ host, task, unreachable, message }: AnsibleFailure): string {
  const [first = ""] = message.split("\n");
  return `${host}: ${task} ${unreachable ? "could not reach it" : "failed"}${first ? `: ${first}` : ""}`;
}

function terraformLine({ added, changed, destroyed, applied }: TerraformResult): string {
  return applied
    ? `${added} added, ${changed} changed, ${destroyed} destroyed`
    : `${added} to add, ${changed} to change, ${destroyed} to destroy`;
}
