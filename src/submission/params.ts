import { fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { AnsibleParamsSchema, TerraformParamsSchema } from "../../gen/signalman/v1/task_pb.ts";
import type { Params } from "../jobs/families/family.ts";
import type { TaskSpec } from "../task/types.ts";

type Stored = Pick<TaskSpec, "ansible" | "terraform">;

/** Returns the caller's settings of the app in the form that is stored with the task. */
export function storedParams(params: Params): Stored {
  if (params.case === "ansible") return { ansible: toJson(AnsibleParamsSchema, params.value) as JsonObject };
  if (params.case === "terraform")
    return { terraform: toJson(TerraformParamsSchema, params.value) as JsonObject };
  return {};
}

/** Returns the settings of the app that are stored with a task. */
export function paramsOf({ ansible, terraform }: Stored): Params {
  if (ansible) return { case: "ansible", value: fromJson(AnsibleParamsSchema, ansible) };
  if (terraform) return { case: "terraform", value: fromJson(TerraformParamsSchema, terraform) };
  return { case: undefined };
}
