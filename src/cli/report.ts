import { Code, ConnectError } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { CommanderError } from "commander";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { LeftError, UsageError } from "./errors.ts";
import { say } from "./terminal/output.ts";

const FAILED = 2;
const SIGPIPE = 13;

/** Prints an error to stderr and returns the exit code for it. */
export function report(error: unknown): number {
  // The library commander has printed its usage error already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : FAILED;
  if (error instanceof LeftError) return error.exitCode;
  if (isBrokenPipe(error)) return 128 + SIGPIPE;
  if (error instanceof ConnectError) reportRpc(error);
  else if (error instanceof UsageError) for (const line of error.lines) say(line);
  else say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return FAILED;
}

function reportRpc(error: ConnectError): void {
  const violations = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
  for (const { field, description } of violations) say(`${field}: ${description}`);
  if (violations.length === 0) say(`${error.rawMessage} (${codeToString(error.code)})`);
  if (error.code === Code.Unauthenticated)
    say(
      "set SIGNALMAN_TOKEN to a token of the server or of an account, or give it with --token; the server's own user on its machine needs none",
    );
}

/** The reader of stdout has closed the pipe, as `head` does. */
function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}
