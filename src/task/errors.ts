import type { Reason } from "./reasons.ts";

/**
 * What kinds of failure there are. The RPC edge maps each to one code (rpc/errors.ts); nothing else knows codes.
 */
export type ErrorKind =
  | "invalid" // the caller's input is wrong; `violations` name the fields
  | "unauthenticated" // no token, or a wrong one
  | "not_found"
  | "already_exists"
  | "precondition" // right input at the wrong time
  | "aborted" // somebody else was faster
  | "exhausted" // a limit
  | "unavailable"; // try again later, perhaps elsewhere

/** A field of a request by its path in the contract, such as `survey[2].default`, and what is wrong with it. */
export interface FieldViolation {
  field: string;
  description: string;
}

export interface FailureOptions {
  reason: Reason;
  violations?: readonly FieldViolation[];
  /** Full name of the resource that is missing, exists already or is in the way. */
  resource?: string;
  /** How long to wait before another try, in milliseconds. */
  retryAfterMs?: number;
  cause?: unknown;
}

/**
 * A failure that the caller can understand and act on. Its message says what could not be done and what was
 * received: `Cannot run projects/demo/templates/x: no such template`. Any other error is ours, and stays inside.
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

/** The input is wrong: one violation for each field. */
export function invalid(violations: readonly FieldViolation[]): Failure {
  const text = violations.map((v) => `${v.field}: ${v.description}`).join("; ");
  return new Failure("invalid", text, { reason: "INVALID_ARGUMENT", violations });
}

/** `resource` is its full name. */
export function notFound(resource: string): Failure {
  return new Failure("not_found", `There is no ${resource}`, { reason: "RESOURCE_NOT_FOUND", resource });
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

/** Another server owns the task now: whoever gets this stops writing, kills what it has and stores nothing more. */
export class LeaseLost extends Error {
  constructor(taskId: string) {
    super(`The lease of task ${taskId} has moved on`);
    this.name = "LeaseLost";
  }
}

/** The sentence of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
