import type { Reason } from "./reasons.ts";

/**
 * Kinds of failure. The RPC edge (rpc/errors/errors.ts) maps each to one gRPC code; no other room knows codes.
 */
export type ErrorKind =
  | "invalid" // the caller's input is wrong; `violations` name the fields
  | "unauthenticated" // no token, or a wrong one
  | "denied" // the caller may know of the resource, but not do this
  | "not_found"
  | "already_exists"
  | "precondition" // right input at the wrong time
  | "aborted" // a concurrent change was committed first
  | "exhausted" // a limit
  | "unavailable"; // a later call may succeed, perhaps at another server

/** A field of a request by its path in the contract, such as `survey[2].default`, and what is wrong with it. */
export interface FieldViolation {
  field: string;
  description: string;
  /** Reason for programs. Default: INVALID_ARGUMENT. */
  reason?: Reason;
}

export interface FailureOptions {
  reason: Reason;
  violations?: readonly FieldViolation[];
  /** Full name of the resource that is missing, that exists already, or that prevents the change. */
  resource?: string;
  /** How long to wait before another try, in milliseconds. */
  retryAfterMs?: number;
  cause?: unknown;
}

/**
 * A failure that the caller can understand and act on. Its message says what could not be done and what was received:
 * `Cannot run projects/demo/templates/x: no such template`. Any other error is a defect of the service: callers get
 * INTERNAL, and the log has the cause.
 */
export class Failure extends Error {
  readonly kind: ErrorKind;
  readonly reason: Reason;
  readonly violations: readonly FieldViolation[];
  readonly resource: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(kind: ErrorKind, message: string, options: FailureOptions) {
    super(message, { cause: options.cause });
    this.name = "Failure";
    this.kind = kind;
    this.reason = options.reason;
    this.violations = options.violations ?? [];
    this.resource = options.resource;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Returns an `invalid` failure with one violation for each wrong field. Its reason is that of all violations, if they share it. */
export function invalid(violations: readonly FieldViolation[]): Failure {
  const text = violations.map((v) => `${v.field}: ${v.description}`).join("; ");
  const reasons = new Set(violations.map(({ reason }) => reason));
  const [shared] = reasons.size === 1 ? reasons : [];
  return new Failure("invalid", text, { reason: shared ?? "INVALID_ARGUMENT", violations });
}

/** Returns a `not_found` failure; `resource` is a full resource name. */
export function notFound(resource: string): Failure {
  return new Failure("not_found", `There is no ${resource}`, { reason: "RESOURCE_NOT_FOUND", resource });
}

/** Returns an `already_exists` failure; `resource` is a full resource name. */
export function alreadyExists(resource: string, more = ""): Failure {
  const text = `${resource} exists already${more}`;
  return new Failure("already_exists", text, { reason: "RESOURCE_ALREADY_EXISTS", resource });
}

/**
 * A task cannot be made ready: it ends as ERROR with PREPARE_FAILED, and the message tells its owner what to do.
 */
export class PrepareError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PrepareError";
  }
}

/** Another server owns the task now. The receiver kills the task's processes here and stores nothing more. */
export class LeaseLostError extends Error {
  constructor(taskId: string) {
    super(`The lease of task ${taskId} has moved on`);
    this.name = "LeaseLostError";
  }
}

/** Returns the message of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
