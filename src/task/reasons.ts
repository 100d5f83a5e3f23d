/**
 * Every reason that an error of this service can carry (`google.rpc.ErrorInfo.reason`), with the codes it comes with.
 * Names are stable: programs compare them. `docs/errors.md` is generated from this table.
 */
export const REASONS = {
  INVALID_ARGUMENT: {
    codes: ["INVALID_ARGUMENT"],
    meaning:
      "A field of the request is wrong. `BadRequest.field_violations` names each field and says what is allowed.",
    advice: "Correct the fields named; the same request fails again.",
  },
  OVERRIDE_NOT_ALLOWED: {
    codes: ["INVALID_ARGUMENT"],
    meaning:
      "The template does not allow its callers to set what the request sets. `BadRequest.field_violations` names each field, variable and environment variable.",
    advice:
      "Leave it out, or have the template allow it: a question of its survey, `allow_extra_variables`, `allow_override_env`, or the other fields `allow_…`.",
  },
  NAME_REFUSED: {
    codes: ["INVALID_ARGUMENT"],
    meaning:
      "A variable or environment variable has a name that callers may not set, whatever the template allows: it changes how a program starts or connects, or is no name for the app. `BadRequest.field_violations` names each.",
    advice: "Set it in the template or its environment. `docs/refused-names.md` lists the names.",
  },
  TOKEN_MISSING: {
    codes: ["UNAUTHENTICATED"],
    meaning: "The server has a token, and the call carries none.",
    advice: "Send the header `authorization: Bearer TOKEN`; the command line takes it from SIGNALMAN_TOKEN.",
  },
  TOKEN_WRONG: {
    codes: ["UNAUTHENTICATED"],
    meaning:
      "The token of the call is not the server's, nor a valid one of an account: unknown, revoked or expired.",
    advice:
      "Compare SIGNALMAN_TOKEN of the caller with that of the server, or create a new token of the account.",
  },
  PERMISSION_DENIED: {
    codes: ["PERMISSION_DENIED"],
    meaning:
      "The caller's roles do not permit the call. A resource that the caller may not even know of is NOT_FOUND instead.",
    advice: "Ask an administrator for a role binding; the message names the missing permission.",
  },
  CONFIRM_BY_OTHER: {
    codes: ["PERMISSION_DENIED"],
    meaning: "The template has `confirm_by_other`, and the caller who confirms the plan has run the task.",
    advice: "Let another account confirm it.",
  },
  ORIGIN_REFUSED: {
    codes: ["UNAUTHENTICATED"],
    meaning: "A web page of another site called a server that has no token.",
    advice: "Give the server a token and name the site in `--allowed-origins`.",
  },
  HOST_REFUSED: {
    codes: ["PERMISSION_DENIED"],
    meaning: "The call names a host (`Host` or `:authority`) that is not known to be this server's.",
    advice: "Call the server by its address, or name the host in `--allowed-hosts`.",
  },
  RESOURCE_NOT_FOUND: {
    codes: ["NOT_FOUND"],
    meaning: "The project, template, task or other resource does not exist. `ResourceInfo` names it.",
    advice: "Compare the name with `signalman list` or a List call; apply the catalog that holds it.",
  },
  SERVICE_UNKNOWN: {
    codes: ["NOT_FOUND"],
    meaning: "`grpc.health.v1` was asked about a service that is not on this port.",
    advice: 'Ask for "" (the server as a whole) or for a service that reflection lists.',
  },
  RESOURCE_ALREADY_EXISTS: {
    codes: ["ALREADY_EXISTS"],
    meaning: "A Create call names a resource that exists.",
    advice: "Use Update, or another name.",
  },
  REQUEST_ID_REUSED: {
    codes: ["ALREADY_EXISTS"],
    meaning: "The `request_id` was used before with another body.",
    advice: "Generate a new UUID for each new request; send the same one only to repeat a request.",
  },
  ETAG_MISMATCH: {
    codes: ["ABORTED"],
    meaning: "The resource has changed since its etag was read.",
    advice: "Read the resource, make the change again, and send it with the new etag.",
  },
  RESOURCE_IN_USE: {
    codes: ["FAILED_PRECONDITION"],
    meaning: "Another resource or a task that has not ended uses the resource. The message names it.",
    advice: "Delete or change what uses it first, or wait for the task's end.",
  },
  NO_BUILD: {
    codes: ["FAILED_PRECONDITION"],
    meaning: "A deploy was asked for, and no task of its build template has succeeded.",
    advice: "Run the build template, then the deploy.",
  },
  TASK_NOT_ENDED: {
    codes: ["FAILED_PRECONDITION"],
    meaning: "Only tasks that have ended can be deleted, and LOST ones only when they no longer run.",
    advice:
      "Kill the task, wait for its end, and delete it then. For a LOST task start its node again, or make sure that its program has ended and call AbandonTask.",
  },
  TASK_NOT_AWAY: {
    codes: ["FAILED_PRECONDITION"],
    meaning: "Only a task whose server is away can be abandoned, and only after it was started.",
    advice: "Kill the task by KillTask; its server ends it.",
  },
  NODE_RUNNING: {
    codes: ["FAILED_PRECONDITION"],
    meaning: "Only a node whose server does not run can be removed.",
    advice: "Drain the node, wait until its tasks have ended, stop its server, and remove it then.",
  },
  NOT_WAITING_FOR_CONFIRMATION: {
    codes: ["FAILED_PRECONDITION"],
    meaning: "The task has no plan that waits: the plan was decided on already, or the task has ended.",
    advice: "Read the task; its status says what happened to it.",
  },
  PLAN_CHANGED: {
    codes: ["FAILED_PRECONDITION"],
    meaning: "The digest in the request is not that of the plan that waits.",
    advice: "Read the plan again by GetTaskPlan and confirm the digest that it has.",
  },
  SECRETS_UNREADABLE: {
    codes: ["FAILED_PRECONDITION"],
    meaning: "A stored secret was encrypted with a key that this server does not have.",
    advice: "Start the server with that SIGNALMAN_SECRET_KEY, or set the secrets again.",
  },
  SERVER_SHUTDOWN: {
    codes: ["UNAVAILABLE"],
    meaning: "This server is shutting down. Running tasks go on.",
    advice:
      "Try again after the delay in `RetryInfo`, here or at another server; a watch goes on with its resume token.",
  },
  STREAM_EXPIRED: {
    codes: ["UNAVAILABLE"],
    meaning: "The stream has reached its greatest age (`--stream-max-age`). Nothing is wrong.",
    advice:
      "Open it again with the last resume token; `signalman/client` and the command line do so by themselves.",
  },
  STREAM_BEHIND: {
    codes: ["UNAVAILABLE"],
    meaning: "The client of the stream has not read for 60 seconds although events were waiting.",
    advice: "Read faster, or fewer streams at once, and open it again with the last resume token.",
  },
  UNAVAILABLE: {
    codes: ["UNAVAILABLE"],
    meaning: "The server cannot reach its database, or the database refuses work at the moment.",
    advice:
      "Try again after the delay in `RetryInfo`. If it lasts, look at the server's log and at PostgreSQL.",
  },
  RESOURCE_EXHAUSTED: {
    codes: ["RESOURCE_EXHAUSTED"],
    meaning:
      "The request is larger than the server reads (4 MiB; of a stream 64 KiB), or its caller has too many calls open.",
    advice: "Send less, such as a catalog in several projects; end streams that are not needed.",
  },
  DEADLINE_EXCEEDED: {
    codes: ["DEADLINE_EXCEEDED"],
    meaning: "The caller's deadline passed before the answer. The work may have been done.",
    advice: "Repeat the call with a longer deadline; RunTask with the same `request_id`.",
  },
  CANCELED: {
    codes: ["CANCELLED"],
    meaning: "The caller ended the call. The work may have been done.",
    advice: "Nothing to do; read the task if its state matters.",
  },
  UNIMPLEMENTED: {
    codes: ["UNIMPLEMENTED"],
    meaning:
      "There is no such service, method or path here, or it was called in a way that it does not have.",
    advice: "Compare the name with reflection; call RPCs by POST, bidirectional streams over HTTP/2.",
  },
  INTERNAL: {
    codes: ["INTERNAL"],
    meaning: "The service failed. The cause is in its log under the request id of the message.",
    advice: "Look for the request id in the log and report it.",
  },
  UNKNOWN: {
    codes: ["UNKNOWN"],
    meaning: "The call failed before the service saw it, with an HTTP status that has no gRPC code.",
    advice: "Check the proxies between caller and server.",
  },
} as const satisfies Record<string, { codes: readonly string[]; meaning: string; advice: string }>;

export type Reason = keyof typeof REASONS;

/** Returns the reason of an error that has only a code: the name of the code if the table has it, else UNKNOWN. */
export function reasonOfCode(code: string): Reason {
  return Object.hasOwn(REASONS, code) ? (code as Reason) : "UNKNOWN";
}
