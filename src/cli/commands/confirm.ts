import type { Command } from "commander";
import { TaskStatus } from "../../../gen/signalman/v1/task_pb.ts";
import { ConfirmTaskResponseSchema } from "../../../gen/signalman/v1/task_service_pb.ts";
import { parseTask, shortName } from "../input/names.ts";
import { changesOf, planText } from "../plan.ts";
import { type Session, withSession } from "../session.ts";
import { jsonLine } from "../terminal/json.ts";
import { print, say, write } from "../terminal/output.ts";
import { askYes } from "../terminal/question.ts";

interface ConfirmOptions {
  digest?: string;
  yes?: true;
}

export function addConfirm(program: Command): void {
  program
    .command("confirm")
    .description("show the plan of a waiting task, ask, and let the task apply this plan")
    .argument("<task>", "the task", parseTask)
    .option("--digest <digest>", "confirm the plan with this digest, without showing it or asking")
    .option("--yes", "show the plan and do not ask")
    .action(
      withSession(async (session, name: string, options: ConfirmOptions) => {
        const planDigest = options.digest ?? (await agreedDigest(session, name, options.yes ?? false));
        if (planDigest === undefined) {
          say(
            `${shortName(name)} still waits; reject it with: ${session.command(`reject ${shortName(name)}`)}`,
          );
          return 1;
        }
        const response = await session.call(({ tasks }, call) =>
          tasks.confirmTask({ name, planDigest }, call),
        );
        if (session.json) await print(jsonLine(ConfirmTaskResponseSchema, response));
        else await print(`${shortName(name)} confirmed`);
        return 0;
      }),
    );
}

/**
 * Returns the digest of the plan to confirm, after showing the plan; undefined if the person refuses it. The digest of a plan
 * that no longer waits is returned unshown, and empty for a task without a plan: ConfirmTask then says what is wrong.
 */
async function agreedDigest(session: Session, name: string, isAgreed: boolean): Promise<string | undefined> {
  const { task } = await session.call(({ tasks }, options) => tasks.getTask({ name }, options));
  if (task?.plan && task.status !== TaskStatus.WAITING_CONFIRMATION) return task.plan.digest;
  const { plan, text } = await session.call(({ tasks }, options) => tasks.getTaskPlan({ name }, options));
  if (!plan) return "";
  await write(process.stderr, `${planText(text)}\n`);
  say(`${shortName(name)}: ${changesOf(plan)}, digest ${plan.digest}`);
  const agreed = isAgreed || (await askYes("Apply this plan?", "confirm with --yes or --digest"));
  return agreed ? plan.digest : undefined;
}
