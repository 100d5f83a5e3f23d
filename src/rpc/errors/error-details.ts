import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  QuotaFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../../gen/google/rpc/error_details_pb.ts";
import type { ErrorKind, Failure } from "../../task/errors.ts";
import type { Reason } from "../../task/reasons.ts";
import { fitText, fitViolations } from "./error-size.ts";

export const ERROR_DOMAIN = "signalman";
const DEFAULT_RETRY_MS = 1000;

/** Detail of an error that is about to be sent, in the form that ConnectError takes. */
export type Detail = NonNullable<ConstructorParameters<typeof ConnectError>[3]>[number];

/** Returns an ErrorInfo. Its reason is for programs and stays the same from release to release. */
export function errorInfo(reason: Reason, metadata: Record<string, string> = {}): Detail {
  return detail(ErrorInfoSchema, { reason, domain: ERROR_DOMAIN, metadata });
}

/** Returns a RetryInfo with a delay in milliseconds. undefined: one second. */
export function retryInfo(ms: number | undefined): Detail {
  const delay = Math.max(0, ms ?? DEFAULT_RETRY_MS);
  const seconds = Math.floor(delay / 1000);
  const nanos = Math.round((delay - seconds * 1000) * 1e6);
  return detail(RetryInfoSchema, { retryDelay: { seconds: BigInt(seconds), nanos } });
}

/** Returns the details of a failure: an ErrorInfo, then those that the contract promises for its kind. */
export function failureDetails(failure: Failure): Detail[] {
  const metadata: Record<string, string> = {};
  if (failure.resource !== undefined) metadata.resource = fitText(failure.resource);
  return [errorInfo(failure.reason, metadata), ...BY_KIND[failure.kind](failure)];
}

const BY_KIND: Record<ErrorKind, (failure: Failure) => Detail[]> = {
  invalid: (f) => [detail(BadRequestSchema, { fieldViolations: fitViolations(f.violations) })],
  unauthenticated: () => [],
  denied: () => [],
  not_found: resourceInfo,
  already_exists: resourceInfo,
  precondition: (f) => [
    detail(PreconditionFailureSchema, {
      violations: [{ type: f.reason, subject: fitText(f.resource ?? ""), description: fitText(f.message) }],
    }),
  ],
  aborted: () => [],
  exhausted: (f) => [
    detail(QuotaFailureSchema, {
      violations: [{ subject: fitText(f.resource ?? ""), description: fitText(f.message) }],
    }),
    retryInfo(f.retryAfterMs),
  ],
  unavailable: (f) => [retryInfo(f.retryAfterMs)],
};

const TYPES: Record<string, string> = {
  projects: "Project",
  templates: "Template",
  repositories: "Repository",
  environments: "Environment",
  inventories: "Inventory",
  accessKeys: "AccessKey",
  roleBindings: "RoleBinding",
  accounts: "Account",
  tokens: "Token",
  tasks: "Task",
};

function resourceInfo(failure: Failure): Detail[] {
  const resourceName = fitText(failure.resource ?? "");
  const collection = resourceName.split("/").at(-2) ?? "";
  const type = TYPES[collection];
  const resourceType = type === undefined ? "" : `signalman.v1.${type}`;
  return [detail(ResourceInfoSchema, { resourceType, resourceName, description: fitText(failure.message) })];
}

function detail<D extends DescMessage>(desc: D, value: MessageInitShape<D>): Detail {
  return { desc, value };
}
