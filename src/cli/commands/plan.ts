import type { Command } from "commander";
import { GetTaskPlanResponseSchema } from "../../../gen/signalman/v1/task_service_pb.ts";
import { jsonLine } from "../json.ts";
import { parseTask } from "../names.ts";
import { print } from "../output.ts";
import { planText } from "../plan.ts";
import { withSession } from "../session.ts";

export function addPlan(program: Command): void {
  program
    .command("plan")
    .description("print the plan of a task of the Terraform family")
    .argument("<task>", "the task", parseTask)
    .action(
      withSession(async (session, name: string) => {
        const response = await session.call(({ tasks }, options) => tasks.getTaskPlan({ name }, options));
        if (session.json) await print(jsonLine(GetTaskPlanResponseSchema, response));
        else await print(planText(response.text));
        return 0;
      }),
    );
}
