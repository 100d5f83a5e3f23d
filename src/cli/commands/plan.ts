import type { Command } from "commander";
import { GetTaskPlanResponseSchema } from "../../../gen/signalman/v1/task_service_pb.ts";
import { parseTask } from "../input/names.ts";
import { planText } from "../plan.ts";
import { withSession } from "../session.ts";
import { jsonLine } from "../terminal/json.ts";
import { print } from "../terminal/output.ts";

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
