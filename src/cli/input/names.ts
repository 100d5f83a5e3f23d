import { InvalidArgumentError } from "commander";
import type { Task } from "../../../gen/signalman/v1/task_pb.ts";
import { printable } from "../terminal/printable.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Parses `projects/PROJECT/tasks/UUID` or `PROJECT/UUID` into a resource name. */
export function parseTask(text: string): string {
  const [project, id] = shortForm(text, "tasks");
  if (project && id && UUID.test(id)) return `projects/${project}/tasks/${id.toLowerCase()}`;
  throw new InvalidArgumentError("It must be projects/PROJECT/tasks/UUID or PROJECT/UUID.");
}

/** Parses `projects/PROJECT/templates/TEMPLATE` or `PROJECT/TEMPLATE` into a resource name. */
export function parseTemplate(text: string): string {
  const [project, name] = shortForm(text, "templates");
  if (project && name) return `projects/${project}/templates/${name}`;
  throw new InvalidArgumentError("It must be PROJECT/TEMPLATE or projects/PROJECT/templates/TEMPLATE.");
}

/** Parses `projects/PROJECT` or `PROJECT` into a resource name. */
export function parseProject(text: string): string {
  const name = text.replace(/^projects\//, "");
  if (name && !name.includes("/")) return `projects/${name}`;
  throw new InvalidArgumentError("It must be PROJECT or projects/PROJECT.");
}

/** Parses `accounts/ACCOUNT` or `ACCOUNT` into a resource name. */
export function parseAccount(text: string): string {
  const name = text.replace(/^accounts\//, "");
  if (name && !name.includes("/")) return `accounts/${name}`;
  throw new InvalidArgumentError("It must be ACCOUNT or accounts/ACCOUNT.");
}

/** Parses `accounts/ACCOUNT/tokens/TOKEN` or `ACCOUNT/TOKEN` into a resource name. */
export function parseToken(text: string): string {
  const [, account, name] = /^(?:accounts\/)?([^/]+)\/(?:tokens\/)?([^/]+)$/.exec(text) ?? [];
  if (account && name) return `accounts/${account}/tokens/${name}`;
  throw new InvalidArgumentError("It must be ACCOUNT/TOKEN or accounts/ACCOUNT/tokens/TOKEN.");
}

/** Short form of a resource name: `demo/hello`. */
export function shortName(name: string): string {
  return name.replace(/^projects\/([^/]+)\/[^/]+\//, "$1/");
}

/** Version that a task builds or deploys, made safe for a terminal; empty if it has none. */
export function versionOf({ version, incomingVersion }: Pick<Task, "version" | "incomingVersion">): string {
  return printable(version || incomingVersion);
}

function shortForm(text: string, collection: string): string[] {
  const parts = text.split("/");
  const isFull = parts.length === 4 && parts[0] === "projects" && parts[2] === collection;
  if (isFull) return [parts[1] ?? "", parts[3] ?? ""];
  return parts.length === 2 ? parts : [];
}
