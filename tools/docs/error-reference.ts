import { REASONS } from "../../src/task/reasons.ts";
import { END_REASONS, type EndReason } from "../../src/task/status.ts";
import { markdownTable } from "./markdown-table.ts";

/** Meaning and advice for each end reason. The comments of the contract in task.proto have the short form. */
const ENDS: Record<EndReason, { meaning: string; advice: string }> = {
  EXIT_CODE: {
    meaning: "The program ended with another exit code than 0.",
    advice: "Read the last lines of the log; `end.exit_code` has the code.",
  },
  SIGNAL: {
    meaning:
      "The program died by a signal that this service did not send, such as the kernel's out-of-memory killer.",
    advice: "Look at the kernel's log of the node; `end.signal` has the name.",
  },
  QUEUE_TIMEOUT: {
    meaning: "The task waited longer than its `queue_timeout`.",
    advice:
      "See with `signalman list` which tasks of its template or project run; allow more parallel tasks or more time.",
  },
  RUN_TIMEOUT: {
    meaning: "The program ran longer than its `run_timeout` and was ended.",
    advice: "See in the log where the time went, or allow more time.",
  },
  IDLE_TIMEOUT: {
    meaning: "The program printed nothing for longer than its `idle_timeout` and was ended.",
    advice: "Make it print progress, or allow more time.",
  },
  CONFIRM_TIMEOUT: {
    meaning: "The plan was neither confirmed nor rejected within `confirm_timeout`.",
    advice: "Run the template again and decide in time.",
  },
  REJECTED: {
    meaning: "The plan was rejected.",
    advice: "Nothing was changed; `end.message` has the reason that the caller gave.",
  },
  PREPARE_FAILED: {
    meaning:
      "The workspace, the app, the keys or the variables could not be made ready. The program was not started.",
    advice: "Read `end.message`: it names what is missing and what to do.",
  },
  STOPPED_BY_USER: {
    meaning: "A caller killed the task.",
    advice: "Nothing to repair; `end.message` has the reason that the caller gave.",
  },
  LOG_LIMIT: { meaning: "The log grew over its limit.", advice: "Print less, or write to a file." },
  LOST: {
    meaning: "The node, or the processes that record the end, vanished. How the program ended is not known.",
    advice: "Look at the node and at what the program changes before you run the task again.",
  },
  HOOK_FAILED: {
    meaning: "The program succeeded, and a hook that is `required` failed.",
    advice: "The log has the hook's output and why it failed.",
  },
};

/** Returns docs/errors.md: reasons of failed calls, and end reasons of tasks. */
export function errorReference(): string {
  const reasons = Object.entries(REASONS).map(([reason, { codes, meaning, advice }]) => [
    `\`${reason}\``,
    codes.join(", "),
    meaning,
    advice,
  ]);
  const ends = END_REASONS.map((reason) => [`\`${reason}\``, ENDS[reason].meaning, ENDS[reason].advice]);
  return `# Errors

## Errors of calls

Every error carries a \`google.rpc.ErrorInfo\` with the domain \`signalman\` and one of these reasons. Reasons stay the same
from release to release; messages are for people and may change.

${markdownTable(["reason", "gRPC code", "meaning", "what to do"], reasons)}
More details come with some codes: \`BadRequest\` with INVALID_ARGUMENT, \`ResourceInfo\` with NOT_FOUND and ALREADY_EXISTS,
\`PreconditionFailure\` with FAILED_PRECONDITION, \`RetryInfo\` with UNAVAILABLE and RESOURCE_EXHAUSTED.

## Ends of tasks

A task that fails is data, not an error of a call: its \`end.reason\` (\`END_REASON_…\` in the contract) is one of these.

${markdownTable(["reason", "meaning", "what to do"], ends)}`;
}
