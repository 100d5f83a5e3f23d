import { clone, type Message, type MessageShape } from "@bufbuild/protobuf";
import { mayAt } from "../../access/rights.ts";
import type { Cipher } from "../../keys/cipher.ts";
import type { ProjectState, Writes } from "../../store/catalog/catalog.ts";
import { inUse } from "../../store/catalog/in-use.ts";
import {
  type AnyKind,
  KINDS,
  type Resource,
  type ResourceRef,
  type WholeResource,
} from "../../store/catalog/kinds.ts";
import { alreadyExists, type Failure, type FieldViolation, invalid, notFound } from "../../task/errors.ts";
import { denied } from "../authorize.ts";
import type { Call } from "../call.ts";
import { fullName, lastPart, parseResourceName } from "../names.ts";
import { pathText } from "../rules/path.ts";
import type { Visibility } from "./checks.ts";
import { assertEtag } from "./etag.ts";
import { mergeMasked } from "./mask.ts";
import { planChanges } from "./plan.ts";
import { referencesOf } from "./references.ts";
import { jsonOf, messageOf, SCHEMAS, type Schemas } from "./schemas.ts";
import { withEmptySecrets } from "./secret-fields.ts";
import { assertNotWidened, visibleTo } from "./widening.ts";

/** Time limit, in milliseconds, of deleting a project with all its tasks and their logs. */
const DELETE_TIMEOUT_MS = 600_000;

export interface WriteDeps {
  changeProject<W extends Writes>(
    project: string,
    asked: readonly ResourceRef[],
    decide: (state: ProjectState) => W,
    patienceMs?: number,
  ): Promise<{ decision: W; written: Resource[]; obstacles: Failure[] }>;
  cipher: Pick<Cipher, "seal" | "open">;
}

export interface WriterOptions<K extends AnyKind> {
  kind: K;
  /** Field of requests that holds the resource, such as `access_key`. */
  field: string;
  /** Returns the broken rules of an update to this whole resource, by path in the request. */
  violationsOf(resource: Message): FieldViolation[];
}

/** Returns Create, Update and Delete of one kind. Each decides under a lock, so that no other call changes the project meanwhile. */
export function resourceWriter<K extends AnyKind>(
  deps: WriteDeps,
  { caller, actor }: Pick<Call, "caller" | "actor">,
  options: WriterOptions<K>,
) {
  const { kind, field } = options;
  type Shape = MessageShape<Schemas[K]>;

  async function put(ref: Asked, desired: (state: ProjectState) => Shape): Promise<Shape> {
    const { project, name } = ref;
    const { decision, written } = await deps.changeProject(project, [{ kind, name }], (state) => {
      const resource = { kind, name, path: field, json: jsonOf(kind, desired(state)) };
      const planned = planChanges(deps.cipher, project, state, [resource], [], visibleTo(caller, project));
      const put = planned.filter(({ action }) => action !== "UNCHANGED");
      assertNotWidened(caller, project, state, put, field);
      return { put, remove: [], isRehearsal: false, actor, before: state.wholes[kind].get(name) };
    });
    const now = written[0] ?? decision.before;
    if (!now) throw new Error(`${fullName(kind, project, name)} was not returned by its own change`);
    return messageOf(kind, fullName(kind, project, name), now);
  }

  return {
    create(parent: string, name: string, given: Shape): Promise<Shape> {
      const project = kind === "projects" ? name : parseResourceName(parent).project;
      return put({ project, name }, (state) => {
        if (kind !== "projects" && !state.outlines.projects.has(project)) throw notFound(parent);
        if (state.wholes[kind].has(name)) throw alreadyExists(fullName(kind, project, name));
        return given;
      });
    },
    update(given: Shape & { name: string; etag: string }, mask: readonly string[]): Promise<Shape> {
      const ref = placeOf(kind, given.name);
      return put(ref, (state) => {
        const stored = storedOf(state, kind, ref, given.etag);
        const shown = { ...stored, spec: withEmptySecrets(kind, stored.spec) };
        const merged = messageOf(kind, given.name, shown);
        mergeMasked(SCHEMAS[kind], merged, clone(SCHEMAS[kind], given as never), mask);
        const violations = options.violationsOf(merged);
        if (violations.length > 0) throw invalid(violations);
        return merged;
      });
    },
    async remove(fully: string, etag: string, force: boolean): Promise<void> {
      const ref = placeOf(kind, fully);
      const { project, name } = ref;
      // With force the tasks of the project are deleted, too.
      if (force && !mayAt(caller, "tasks.delete", { project, template: null }))
        throw denied(caller, "tasks.delete", fully, "delete the tasks of a project");
      const decide = (state: ProjectState) => {
        storedOf(state, kind, ref, etag);
        const others = kind === "projects" ? all(state) : [];
        const [first] = others.filter((other) => other.kind !== "roleBindings");
        if (first && !force) throw inUse(fully, fullName(first.kind, project, first.name), "belongs to it");
        assertNotReferred(project, state, { kind, name }, visibleTo(caller, project));
        return { put: [], remove: [...others, { kind, name }], force, isRehearsal: false, actor };
      };
      await deps.changeProject(project, [{ kind, name }], decide, force ? DELETE_TIMEOUT_MS : undefined);
    },
  };
}

interface Asked {
  project: string;
  name: string;
}

function placeOf(kind: AnyKind, fully: string): Asked {
  const { project, name } = parseResourceName(fully);
  return { project, name: kind === "projects" ? project : name };
}

/** Returns the stored resource. @throws Failure not_found; aborted if its etag is not the one in the request. */
function storedOf(state: ProjectState, kind: AnyKind, { project, name }: Asked, etag: string): WholeResource {
  const stored = state.wholes[kind].get(name);
  const resource = fullName(kind, project, name);
  if (!stored) throw notFound(resource);
  assertEtag(resource, stored, etag);
  return stored;
}

const all = ({ outlines }: ProjectState): ResourceRef[] =>
  KINDS.flatMap((kind) => [...outlines[kind].keys()].map((name) => ({ kind, name })));

/** Checks that no resource refers to this one. @throws Failure precondition that names one that does. */
function assertNotReferred(
  project: string,
  { outlines }: ProjectState,
  { kind, name }: ResourceRef,
  isVisible: Visibility,
): void {
  // Role bindings are deleted with their template.
  for (const userKind of ["projects", ...KINDS.filter((one) => one !== "roleBindings")] as const) {
    for (const [user, spec] of outlines[userKind]) {
      if (userKind === kind && user === name) continue;
      const reference = referencesOf(userKind, spec).find(
        (one) => one.kind === kind && lastPart(one.name) === name,
      );
      if (!reference) continue;
      const path = pathText(SCHEMAS[userKind], reference.path);
      const shown = isVisible({ kind: userKind, name: user })
        ? fullName(userKind, project, user)
        : "another resource";
      throw inUse(fullName(kind, project, name), shown, `uses it as ${path}`);
    }
  }
}
