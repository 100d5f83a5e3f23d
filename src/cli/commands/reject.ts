import type { Command } from "commander";
import { RejectTaskResponseSchema } from "../../../gen/signalman/v1/task_service_pb.ts";
import { parseTask, shortName } from "../input/names.ts";
import { withSession } from "../session.ts";
import { jsonLine } from "../terminal/json.ts";
import { print } from "../terminal/output.ts";

export function addReject(program: Command): void {
  program
    .command("reject")
    .description("reject the plan of a waiting task, which ends the task without applying the plan")
    .argument("<task>", "the task", parseTask)
    .option("--reason <text>", "reason, shown with the task")
    .action(
      withSession(async (session, name: string, { reason }: { reason?: string }) => {
        const response = await session.call(({ tasks }, options) =>
          tasks.rejectTask({ name, reason }, options),
        );
        if (session.json) await print(jsonLine(RejectTaskResponseSchema, response));
        else await print(`${shortName(name)} rejected`);
        return 0;
      }),
    );
}
