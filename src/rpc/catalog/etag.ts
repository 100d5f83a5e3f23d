import type { Resource } from "../../store/catalog/kinds.ts";
import { Failure } from "../../task/errors.ts";

/** Returns the etag of a resource (AIP-154). It changes with every write, and when a resource is deleted and created again. */
export function etagOf({ revision, createTime }: Pick<Resource, "revision" | "createTime">): string {
  return `"${revision}-${createTime.getTime().toString(36)}"`;
}

/** Checks the etag of a request, if it gives one. @throws Failure aborted if the stored resource has another etag. */
export function assertEtag(resource: string, stored: Resource, given: string): void {
  if (given === "" || given === etagOf(stored)) return;
  const text = `${resource} has changed: its etag is ${etagOf(stored)}, got ${given.slice(0, 80)}; read it again`;
  throw new Failure("aborted", text, { reason: "ETAG_MISMATCH", resource });
}
