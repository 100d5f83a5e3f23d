import { Code, ConnectError } from "@connectrpc/connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { describe, expect, test } from "vitest";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  QuotaFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../../gen/google/rpc/error_details_pb.ts";
import { shuttingDown, toConnectError } from "../../../src/rpc/errors/errors.ts";
import { type ErrorKind, Failure, type FailureOptions, invalid, notFound } from "../../../src/task/errors.ts";

const context = { requestId: "r1", signal: new AbortController().signal };
const map = (thrown: unknown) => toConnectError(thrown, context);
const fail = (kind: ErrorKind, options: Partial<FailureOptions> = {}) =>
  map(new Failure(kind, "It cannot be", { reason: "NO_BUILD", ...options }));
/** Returns the trailers of a gRPC response, with base64 decoded. */
const wireText = (error: ConnectError) => {
  const trailers = setTrailerStatus(new Headers(), error);
  const details = Buffer.from(trailers.get("grpc-status-details-bin") ?? "", "base64").toString("latin1");
  return `${trailers.get("grpc-message")} ${details}`;
};
/** Size of the details in bytes. */
const wireSize = (error: ConnectError) => [...setTrailerStatus(new Headers(), error)].flat().join("").length;

describe("a failure", () => {
  test.each<[ErrorKind, Code]>([
    ["invalid", Code.InvalidArgument],
    ["unauthenticated", Code.Unauthenticated],
    ["not_found", Code.NotFound],
    ["already_exists", Code.AlreadyExists],
    ["precondition", Code.FailedPrecondition],
    ["aborted", Code.Aborted],
    ["exhausted", Code.ResourceExhausted],
    ["unavailable", Code.Unavailable],
  ])("of kind %s has its code and a reason", (kind, code) => {
    const error = fail(kind);
    expect(error).toMatchObject({ code, rawMessage: "It cannot be" });
    expect(error.findDetails(ErrorInfoSchema)).toEqual([
      expect.objectContaining({ reason: "NO_BUILD", domain: "signalman" }),
    ]);
  });

  test("names fields, resources, preconditions and quotas", () => {
    const bad = map(invalid([{ field: "a[1].b", description: "c" }]));
    expect(bad.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject([
      { field: "a[1].b", description: "c" },
    ]);
    const name = "projects/p/templates/t";
    const missing = { resourceName: name, resourceType: "signalman.v1.Template" };
    expect(map(notFound(name)).findDetails(ResourceInfoSchema)).toMatchObject([missing]);
    expect(fail("already_exists", { resource: "projects/p" }).findDetails(ResourceInfoSchema)).toMatchObject([
      { resourceName: "projects/p", resourceType: "signalman.v1.Project" },
    ]);
    expect(
      fail("precondition", { resource: name }).findDetails(PreconditionFailureSchema)[0]?.violations,
    ).toMatchObject([{ type: "NO_BUILD", subject: name, description: "It cannot be" }]);
    expect(
      fail("exhausted", { resource: name }).findDetails(QuotaFailureSchema)[0]?.violations,
    ).toMatchObject([{ subject: name, description: "It cannot be" }]);
  });

  test.each([
    ["unavailable", undefined, { seconds: 1n, nanos: 0 }],
    ["unavailable", 2500, { seconds: 2n, nanos: 500_000_000 }],
    ["exhausted", 1, { seconds: 0n, nanos: 1_000_000 }],
  ] as const)("of kind %s says when to try again", (kind, retryAfterMs, retryDelay) => {
    expect(fail(kind, { retryAfterMs }).findDetails(RetryInfoSchema)).toMatchObject([{ retryDelay }]);
  });
});

describe("an unexpected error", () => {
  test("is INTERNAL, and its message has only the request id for the log", () => {
    const cause = new Error("password=hunter2");
    const error = map(cause);
    expect(error).toMatchObject({ code: Code.Internal, cause });
    expect(error.rawMessage).toBe("The server failed; its log has the cause under request id r1");
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
      { reason: "INTERNAL", metadata: { request_id: "r1" } },
    ]);
    expect(wireText(error)).not.toContain("hunter2");
  });

  test("is UNAVAILABLE if it is transient", () => {
    const error = toConnectError(new Error("ECONNREFUSED"), { ...context, isPassing: () => true });
    expect(error.code).toBe(Code.Unavailable);
    expect(error.findDetails(RetryInfoSchema)).toHaveLength(1);
    expect(error.rawMessage).not.toContain("ECONNREFUSED");
  });

  test.each([undefined, null, "text", 7, {}])("need not be an Error: %s", (thrown) => {
    expect(map(thrown).code).toBe(Code.Internal);
  });
});

test("a ConnectError gets a reason, once", () => {
  const error = new ConnectError("too large", Code.ResourceExhausted);
  expect(map(map(error)).findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "RESOURCE_EXHAUSTED" }]);
});

describe("a call that was aborted", () => {
  const aborted = (reason: unknown) => ({ requestId: "r1", signal: AbortSignal.abort(reason) });

  test("by the client is CANCELED, whatever error reported it", () => {
    const gone = aborted(undefined);
    const cause = gone.signal.reason;
    for (const thrown of [cause, new DOMException("x", "AbortError"), new Error("x", { cause })]) {
      expect(toConnectError(thrown, gone).code).toBe(Code.Canceled);
    }
  });

  test("by its deadline is DEADLINE_EXCEEDED", () => {
    const reason = new ConnectError("the operation timed out", Code.DeadlineExceeded);
    expect(toConnectError(reason, aborted(reason))).toMatchObject({ code: Code.DeadlineExceeded });
  });

  test("by the shutdown is UNAVAILABLE with RetryInfo, each call with its own error object", () => {
    const reason = shuttingDown();
    const error = toConnectError(new Error("x", { cause: reason }), aborted(reason));
    expect(error.code).toBe(Code.Unavailable);
    expect(error.findDetails(RetryInfoSchema)).toHaveLength(1);
    expect(toConnectError(reason, aborted(reason))).not.toBe(reason);
  });

  test("is still INTERNAL if another error occurs", () => {
    expect(toConnectError(new TypeError("x"), aborted(undefined)).code).toBe(Code.Internal);
  });
});

describe("the size of an error", () => {
  test("is limited: violations beyond the limit are left out and counted", () => {
    const all = Array.from({ length: 1000 }, (_, i) => ({
      field: `catalog.templates[${i}].path`,
      description: "é".repeat(90),
    }));
    const error = map(invalid(all));
    const told = error.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [];
    expect(told.length).toBeGreaterThan(5);
    expect(told.at(-1)?.description).toBe(`and ${1000 - (told.length - 1)} more, left out here`);
    expect(wireSize(error)).toBeLessThan(8000);
  });

  test.each([
    ["half a surrogate pair", "a\ud83d"],
    ["a cut through one", "\u{1f680}".repeat(1000)],
    ["a very long text", "x".repeat(1 << 20)],
    ["what needs encoding", "\0%\n".repeat(1000)],
  ])("%s in a message does no harm", (_, text) => {
    const error = map(new Failure("precondition", text, { reason: "NO_BUILD", resource: text }));
    expect(wireSize(error)).toBeLessThan(8000);
    expect(error.rawMessage.isWellFormed()).toBe(true);
  });
});
