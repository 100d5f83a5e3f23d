import { fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { AnsibleParamsSchema, TerraformParamsSchema } from "../../gen/signalman/v1/task_pb.ts";
import type { Params } from "../jobs/family.ts";
import type { TaskSpec } from "../task/types.ts";

type Stored = Pick<TaskSpec, "ansible" | "terraform">;

/** What a caller set for the app, as it is kept with the task. */
export function storedParams(params: Params): Stored {
  if (params.case === "ansible") return { ansible: toJson(AnsibleParamsSchema, params.value) as JsonObject };
  if (params.case === "terraform")
    return { terraform: toJson(TerraformParamsSchema, params.value) as JsonObject };
  return {};
}

export function paramsOf({ ansible, terraform }: Stored): Params {
  if (ansible) return { case: "ansible", value: fromJson(AnsibleParamsSchema, ansible) };
  if (terraform) return { case: "terraform", value: fromJson(TerraformParamsSchema, terraform) };
  return { case: undefined };
}
