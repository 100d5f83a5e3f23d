import { create } from "@bufbuild/protobuf";
import { ListTasksRequestSchema, TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { hasTerraform } from "../jobs/families/terraform/project.ts";
import { applyDemo, type DemoService, runDemo } from "../support/demo.ts";
import type { Harvest } from "./harvest.ts";

export interface Demo {
  /** A folder with the script `ok.sh`. */
  readonly repository: string;
  /** Creates again what requests have deleted, and a waiting plan if there are few and Terraform is installed. */
  renew(): Promise<void>;
}

const PLANS = 5;

/** Creates the project to whose resources the real names in requests refer. */
export async function prepareDemo(service: DemoService, harvest: Harvest): Promise<Demo> {
  const tasks = service.client(TaskService);
  const script = "echo ok";
  const leave = { allowParallelTasks: true, allowOverrideArguments: true, allowOverrideGitBranch: true };
  const apply = () =>
    applyDemo(service, {
      ok: { script, ...leave, allowOverrideInventory: true },
      "ok.sh": { script, ...leave, name: "other", path: "ok.sh" },
      "main.tf": { script: 'resource "terraform_data" "x" {}', name: "plan", app: "terraform", path: "." },
    });
  return {
    repository: await apply(),
    async renew() {
      await apply();
      const request = { parent: "projects/demo", filter: "status = WAITING_CONFIRMATION" };
      const waiting = await tasks.listTasks(request);
      harvest.learn(TaskService.method.listTasks, create(ListTasksRequestSchema, request), waiting);
      if (hasTerraform() && waiting.tasks.length < PLANS) await runDemo(service, "plan");
    },
  };
}
