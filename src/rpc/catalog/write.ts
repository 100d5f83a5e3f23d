import { clone, type Message, type MessageShape } from "@bufbuild/protobuf";
import type { Cipher } from "../../keys/cipher.ts";
import type { ProjectState, Writes } from "../../store/catalog/catalog.ts";
import { inUse } from "../../store/catalog/in-use.ts";
import {
  type AnyKind,
  KINDS,
  type Place,
  type Resource,
  type WholeResource,
} from "../../store/catalog/kinds.ts";
import { Failure, type FieldViolation, invalid, notFound } from "../../task/errors.ts";
import { fullName, lastPart, parseResourceName } from "../names.ts";
import { pathText } from "../rules/path.ts";
import { mergeMasked } from "./mask.ts";
import { planChanges } from "./plan.ts";
import { referencesOf } from "./references.ts";
import { etagOf, jsonOf, messageOf, SCHEMAS, type Schemas } from "./schemas.ts";
import { withEmptySecrets } from "./secret-fields.ts";

/** How long it may take to delete a project with all its tasks and their logs. */
const LOGS_GO_MS = 600_000;

export interface WriteDeps {
  changeProject<W extends Writes>(
    project: string,
    asked: readonly Place[],
    decide: (state: ProjectState) => W,
    patienceMs?: number,
  ): Promise<{ decision: W; written: Resource[]; obstacles: Failure[] }>;
  cipher: Pick<Cipher, "seal" | "open">;
}

export interface WriterOptions<K extends AnyKind> {
  kind: K;
  /** What requests call a resource: `access_key`. */
  field: string;
  /** All that breaks the rules of an update to this whole resource, by path in the request. */
  violationsOf(resource: Message): FieldViolation[];
}

/** Create, Update and Delete of one kind, the same for all. Each is decided while nobody else changes the project. */
export function resourceWriter<K extends AnyKind>(deps: WriteDeps, options: WriterOptions<K>) {
  const { kind, field } = options;
  type Shape = MessageShape<Schemas[K]>;

  async function put(place: Asked, desired: (state: ProjectState) => Shape): Promise<Shape> {
    const { project, name } = place;
    const { decision, written } = await deps.changeProject(project, [{ kind, name }], (state) => {
      const resource = { kind, name, path: field, json: jsonOf(kind, desired(state)) };
      const planned = planChanges(deps.cipher, project, state, [resource]);
      const put = planned.filter(({ action }) => action !== "UNCHANGED");
      return { put, remove: [], isRehearsal: false, before: state.wholes[kind].get(name) };
    });
    const now = written[0] ?? decision.before;
    if (!now) throw new Error(`${fullName(kind, project, name)} was neither written nor there`);
    return messageOf(kind, fullName(kind, project, name), now);
  }

  return {
    create(parent: string, name: string, given: Shape): Promise<Shape> {
      const project = kind === "projects" ? name : parseResourceName(parent).project;
      return put({ project, name }, (state) => {
        if (kind !== "projects" && !state.outlines.projects.has(project)) throw notFound(parent);
        if (state.wholes[kind].has(name)) throw exists(fullName(kind, project, name));
        return given;
      });
    },
    update(given: Shape & { name: string; etag: string }, mask: readonly string[]): Promise<Shape> {
      const place = placeOf(kind, given.name);
      return put(place, (state) => {
        const stored = storedOf(state, kind, place, given.etag);
        const shown = { ...stored, spec: withEmptySecrets(kind, stored.spec) };
        const merged = messageOf(kind, given.name, shown);
        mergeMasked(SCHEMAS[kind], merged, clone(SCHEMAS[kind], given as never), mask);
        const violations = options.violationsOf(merged);
        if (violations.length > 0) throw invalid(violations);
        return merged;
      });
    },
    async remove(fully: string, etag: string, force: boolean): Promise<void> {
      const place = placeOf(kind, fully);
      const { project, name } = place;
      const decide = (state: ProjectState) => {
        storedOf(state, kind, place, etag);
        const others = kind === "projects" ? all(state) : [];
        const [first] = others;
        if (first && !force) throw inUse(fully, fullName(first.kind, project, first.name), "belongs to it");
        assertNotReferred(project, state, { kind, name });
        return { put: [], remove: [...others, { kind, name }], force, isRehearsal: false };
      };
      await deps.changeProject(project, [{ kind, name }], decide, force ? LOGS_GO_MS : undefined);
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

/** @throws Failure not_found; aborted if the caller knows another state of it. */
function storedOf(state: ProjectState, kind: AnyKind, { project, name }: Asked, etag: string): WholeResource {
  const stored = state.wholes[kind].get(name);
  const resource = fullName(kind, project, name);
  if (!stored) throw notFound(resource);
  if (etag !== "" && etag !== etagOf(stored)) {
    const text = `${resource} was changed meanwhile: its etag is ${etagOf(stored)}, got ${etag.slice(0, 80)}`;
    throw new Failure("aborted", text, { reason: "ETAG_MISMATCH", resource });
  }
  return stored;
}

function exists(resource: string): Failure {
  return new Failure("already_exists", `${resource} exists already`, {
    reason: "RESOURCE_ALREADY_EXISTS",
    resource,
  });
}

const all = ({ outlines }: ProjectState): Place[] =>
  KINDS.flatMap((kind) => [...outlines[kind].keys()].map((name) => ({ kind, name })));

/** @throws Failure precondition that names a resource in which it is named. */
function assertNotReferred(project: string, { outlines }: ProjectState, { kind, name }: Place): void {
  for (const userKind of ["projects", ...KINDS] as const) {
    for (const [user, spec] of outlines[userKind]) {
      if (userKind === kind && user === name) continue;
      const reference = referencesOf(userKind, spec).find(
        (one) => one.kind === kind && lastPart(one.name) === name,
      );
      if (!reference) continue;
      const path = pathText(SCHEMAS[userKind], reference.path);
      throw inUse(fullName(kind, project, name), fullName(userKind, project, user), `uses it as ${path}`);
    }
  }
}
