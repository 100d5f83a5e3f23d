import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Command, InvalidArgumentError } from "commander";
import type { RunTaskRequestSchema } from "../../../gen/signalman/v1/task_service_pb.ts";
import { parseWhole } from "./values.ts";

type Params = MessageInitShape<typeof RunTaskRequestSchema>["params"];

export interface ParamOptions {
  limit?: string[];
  tags?: string[];
  skipTags?: string[];
  verbosity?: number;
  check?: true;
  diff?: true;
  refreshRequirements?: true;
  planOnly?: true;
  destroy?: true;
  autoApprove?: true;
  upgrade?: true;
  reconfigure?: true;
}

const ANSIBLE = ["limit", "tags", "skipTags", "verbosity", "check", "diff", "refreshRequirements"] as const;
const TERRAFORM = ["planOnly", "destroy", "autoApprove", "upgrade", "reconfigure"] as const;

/** Adds the options for the app of a template. */
export function addParams(command: Command): Command {
  return command
    .option("--limit <hosts>", "Ansible: limit the run to these hosts, separated by commas", collectList)
    .option("--tags <tags>", "Ansible: run only these tags, separated by commas", collectList)
    .option("--skip-tags <tags>", "Ansible: skip these tags, separated by commas", collectList)
    .option("--verbosity <n>", "Ansible: verbosity of the output, 0 to 6", parseWhole(0, 6))
    .option("--check", "Ansible: change nothing")
    .option("--diff", "Ansible: show the changes in files")
    .option("--refresh-requirements", "Ansible: fetch the roles and collections of requirements again")
    .option("--plan-only", "Terraform: end after the plan")
    .option("--destroy", "Terraform: plan to destroy everything")
    .option("--auto-approve", "Terraform: apply the plan without asking")
    .option("--upgrade", "Terraform: init -upgrade")
    .option("--reconfigure", "Terraform: init -reconfigure");
}

/** Returns the params of RunTask; undefined if none are given. @throws InvalidArgumentError for options of several apps */
export function paramsOf(options: ParamOptions): Params {
  const ansible = given(options, ANSIBLE);
  const terraform = given(options, TERRAFORM);
  if (ansible && terraform)
    throw new InvalidArgumentError("Options for Ansible and options for Terraform cannot be combined.");
  if (ansible) return { case: "ansible", value: ansible };
  return terraform && { case: "terraform", value: terraform };
}

function given<K extends keyof ParamOptions>(
  options: ParamOptions,
  keys: readonly K[],
): Pick<ParamOptions, K> | undefined {
  const entries = keys.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]] as const]));
  return entries.length > 0 ? (Object.fromEntries(entries) as Pick<ParamOptions, K>) : undefined;
}

function collectList(text: string, before: readonly string[] = []): string[] {
  return [...before, ...text.split(",").filter((part) => part !== "")];
}
