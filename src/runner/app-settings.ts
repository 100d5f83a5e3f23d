import { create } from "@bufbuild/protobuf";
import { AnsibleParamsSchema, TerraformParamsSchema } from "../../gen/signalman/v1/task_pb.ts";
import type { BackendOverride, Template } from "../../gen/signalman/v1/template_pb.ts";
import type { AnsibleSettings } from "../jobs/ansible/input.ts";
import { paramsOf } from "../submission/params.ts";
import type { TaskSpec } from "../task/types.ts";

/** How the Terraform family is called. */
export interface TerraformDetails {
  planOnly: boolean;
  destroy: boolean;
  autoApprove: boolean;
  upgrade: boolean;
  reconfigure: boolean;
  /** By `init`, `plan` or `apply`: in place of the template's arguments. */
  stageArguments: Readonly<Record<string, readonly string[]>>;
  backend: BackendOverride | undefined;
}

/** The template's settings with what the task sets in their place; checkAsked has seen that it may. */
export function ansibleDetails(template: Template, spec: Pick<TaskSpec, "ansible">): AnsibleSettings {
  const own = template.settings.case === "ansible" ? template.settings.value : undefined;
  const params = paramsOf(spec);
  const asked = params.case === "ansible" ? params.value : create(AnsibleParamsSchema);
  const list = (field: "limit" | "tags" | "skipTags") =>
    asked[field].length > 0 ? asked[field] : (own?.[field] ?? []);
  return {
    limit: list("limit"),
    tags: list("tags"),
    skipTags: list("skipTags"),
    verbosity: asked.verbosity ?? own?.verbosity ?? 0,
    check: asked.check,
    diff: asked.diff,
    refreshRequirements: asked.refreshRequirements,
  };
}

/** As ansibleDetails. */
export function terraformDetails(template: Template, spec: Pick<TaskSpec, "terraform">): TerraformDetails {
  const own = template.settings.case === "terraform" ? template.settings.value : undefined;
  const params = paramsOf(spec);
  const asked = params.case === "terraform" ? params.value : create(TerraformParamsSchema);
  const { planOnly, destroy, autoApprove, upgrade, reconfigure } = asked;
  const stages = Object.entries(own?.stageArguments ?? {});
  return {
    planOnly,
    destroy,
    autoApprove: autoApprove || own?.autoApprove === true,
    upgrade,
    reconfigure,
    stageArguments: Object.fromEntries(stages.map(([stage, of]) => [stage, of.arguments])),
    backend: own?.backend,
  };
}
