import type { Duration } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { KillOutcome, KillTaskResponseSchema } from "../../../gen/signalman/v1/task_service_pb.ts";
import { jsonLine } from "../json.ts";
import { parseTask, shortName } from "../names.ts";
import { print } from "../output.ts";
import { withSession } from "../session.ts";
import { statusWord } from "../status.ts";
import { parseDuration } from "../values.ts";

interface KillOptions {
  force?: true;
  grace?: Duration;
  reason?: string;
}

const SAID: Record<KillOutcome, string> = {
  [KillOutcome.UNSPECIFIED]: "asked to stop",
  [KillOutcome.KILLED_BEFORE_START]: "stopped before it started",
  [KillOutcome.KILL_REQUESTED]: "asked to stop",
  [KillOutcome.ALREADY_STOPPING]: "was stopping already",
  [KillOutcome.ALREADY_FINAL]: "had ended already",
};

export function addKill(program: Command): void {
  program
    .command("kill")
    .description("stop a task: SIGTERM first, SIGKILL after a while")
    .argument("<task>", "the task", parseTask)
    .option("--force", "SIGKILL at once")
    .option(
      "--grace <duration>",
      "time between SIGTERM and SIGKILL, 10s (Terraform: 30s) unless given",
      parseDuration,
    )
    .option("--reason <text>", "why, for people")
    .action(
      withSession(async (session, name: string, { force, grace, reason }: KillOptions) => {
        const response = await session.call(({ tasks }, options) =>
          tasks.killTask({ name, force, gracePeriod: grace, reason }, options),
        );
        const status = statusWord(response.task?.status ?? 0);
        if (session.json) await print(jsonLine(KillTaskResponseSchema, response));
        else await print(`${shortName(name)} ${SAID[response.outcome]} (${status})`);
        return 0;
      }),
    );
}
