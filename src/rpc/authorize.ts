import type { DescMethod } from "@bufbuild/protobuf";
import { knows, mayAt, mayWithin, type Place } from "../access/rights.ts";
import type { Caller } from "../task/caller.ts";
import { Failure, notFound } from "../task/errors.ts";
import type { Permission } from "../task/roles.ts";
import type { TaskName } from "./names.ts";
import { ruleOf } from "./permissions.ts";
import type { Target } from "./targets.ts";

export interface AuthorizeDeps {
  /** Returns the template of a task and the name of its creator; undefined: there is no such task. */
  findTask(name: TaskName): Promise<{ template: string; createdBy: string } | undefined>;
}

/** A permitted call. `isOwn`: the caller has the permission only for resources that it created itself. */
export interface Permitted {
  target: Target;
  /** Where the permission was found to hold. */
  place: Place;
  isOwn: boolean;
}

/**
 * Lets a call pass if its caller has the method's permission on the resource that the request names. The answer never
 * reveals whether a resource exists of which the caller may not know.
 * @throws Failure denied if the caller may know of the resource; else not_found, the same as for a missing one.
 */
export async function authorize(
  deps: AuthorizeDeps,
  method: DescMethod,
  request: unknown,
  caller: Caller,
): Promise<Permitted> {
  const { permission, own, targetOf } = ruleOf(method);
  const target = targetOf(request as never);
  if (permission === "public" || permission === "any.read" || mayAt(caller, permission, target))
    return { target, place: target, isOwn: false };
  if (target.isList && mayWithin(caller, permission, target)) return { target, place: target, isOwn: false };
  const place: TaskPlace = target.task ? await placeOf(deps, target.task, target.name) : target;
  if (target.task && mayAt(caller, permission, place)) return { target, place, isOwn: false };
  const isOwn = own !== undefined && mayAt(caller, own, place);
  if (isOwn && (place.createdBy === undefined || place.createdBy === caller.name))
    return { target, place, isOwn };
  if (!isKnown(caller, target, place)) throw notFound(target.name);
  throw denied(caller, permission, target.name, `call ${method.name}`);
}

type TaskPlace = Place & { createdBy?: string };

function isKnown(caller: Caller, target: Target, place: Place): boolean {
  if (target.name === "") return true;
  if (target.knownBy) return mayAt(caller, target.knownBy, place);
  return knows(caller, place);
}

async function placeOf(deps: AuthorizeDeps, { project, id }: TaskName, name: string): Promise<TaskPlace> {
  const found = await deps.findTask({ project, id });
  if (!found) throw notFound(name);
  return { project, ...found };
}

/** Returns the refusal of a call whose caller may know of the resource but lacks the permission. */
export function denied(caller: Caller, permission: Permission, resource: string, purpose: string): Failure {
  const where = resource === "" ? "everything" : resource;
  return new Failure(
    "denied",
    `${caller.name} may not ${purpose}: it needs ${permission} on ${where}; ask an administrator for a role with it`,
    { reason: "PERMISSION_DENIED", resource },
  );
}
