import type { JsonObject } from "@bufbuild/protobuf";
import { and, eq, sql } from "drizzle-orm";
import type { Failure } from "../../task/errors.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { projects } from "../schema/resources.ts";
import { deleteTasks, obstaclesTo } from "./in-use.ts";
import {
  type AnyKind,
  KINDS,
  type Kind,
  type Place,
  type Resource,
  SECRET_TABLES,
  TABLES,
  type WholeResource,
} from "./kinds.ts";

/** A project while nobody else changes it, by kind and name. */
export interface ProjectState {
  /** Of all that is there: its spec without what is big and refers to nothing. */
  outlines: Record<AnyKind, Map<string, JsonObject>>;
  /** Those that were asked for, as far as they are there. */
  wholes: Record<AnyKind, Map<string, WholeResource>>;
}

/** What a resource is to be. */
export interface Put extends Place {
  spec: JsonObject;
  secrets: Buffer | null;
}

export interface Writes {
  put: readonly Put[];
  /** A project goes with its ended tasks and their logs if `force`; else it may have no tasks. */
  remove: readonly Place[];
  force?: boolean;
  /** Nothing is written. */
  isRehearsal: boolean;
}

/** Fields of a spec that may be big. Nothing in them refers to another resource. */
const BULKY = ["description", "ini", "yaml", "variables", "env", "arguments", "survey"];

/**
 * The one way to write resources: shows a project to `decide`, which is pure, and writes what it says, all in one
 * transaction; of two at once one comes after the other, whole. Returns the decision, what was put, as it is now, and
 * for a rehearsal what it would fail with.
 * `patienceMs`: how long it may take, if not as long as any other work.
 * @throws Failure precondition if a template is to go whose tasks have not ended; whatever `decide` throws.
 */
export async function changeProject<W extends Writes>(
  database: Database,
  project: string,
  asked: readonly Place[],
  decide: (state: ProjectState) => W,
  patienceMs?: number,
): Promise<{ decision: W; written: Resource[]; obstacles: Failure[] }> {
  return database.run(
    (db) =>
      db.transaction(async (tx) => {
        if (patienceMs !== undefined)
          await tx.execute(sql`SELECT set_config('statement_timeout', ${String(patienceMs)}, true)`);
        await tx.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${`catalog ${project}`}, 0))`);
        const decision = decide(await readState(tx, project, asked));
        const obstacles = await obstaclesTo(tx, project, decision);
        if (decision.isRehearsal) return { decision, written: [], obstacles };
        if (obstacles[0]) throw obstacles[0];
        return { decision, written: await write(tx, project, decision), obstacles };
      }),
    patienceMs,
  );
}

async function readState(db: Queryable, project: string, asked: readonly Place[]): Promise<ProjectState> {
  const [row] = await db.select().from(projects).where(eq(projects.name, project));
  const own = new Map(row ? [[project, { ...row, secrets: null }]] : []);
  const outline = new Map(row ? [[project, row.spec]] : []);
  const outlines: Partial<ProjectState["outlines"]> = { projects: outline };
  const wholes: Partial<ProjectState["wholes"]> = { projects: own };
  for (const kind of KINDS) {
    const names = asked.filter((place) => place.kind === kind).map(({ name }) => name);
    outlines[kind] = await readOutlines(db, kind, project);
    wholes[kind] = await readWholes(db, kind, project, names);
  }
  return { outlines, wholes } as ProjectState;
}

async function readOutlines(db: Queryable, kind: Kind, project: string): Promise<Map<string, JsonObject>> {
  const table = TABLES[kind];
  const spec = sql<JsonObject>`${table.spec} - ${`{${BULKY.join(",")}}`}::text[]`;
  const rows = await db.select({ name: table.name, spec }).from(table).where(eq(table.project, project));
  return new Map(rows.map((row) => [row.name, row.spec]));
}

async function readWholes(
  db: Queryable,
  kind: Kind,
  project: string,
  names: readonly string[],
): Promise<Map<string, WholeResource>> {
  if (names.length === 0) return new Map();
  const table = TABLES[kind];
  const rows: (Resource & { secrets?: Buffer | null })[] = await db
    .select()
    .from(table)
    .where(and(eq(table.project, project), isOneOfNames(table, names)));
  return new Map(rows.map((row) => [row.name, { ...row, secrets: row.secrets ?? null }]));
}

/** As one parameter, so that there is one statement. */
function isOneOfNames(table: (typeof TABLES)[Kind], names: readonly string[]) {
  return sql`${table.name} IN (SELECT jsonb_array_elements_text(${JSON.stringify(names)}::jsonb))`;
}

const SET = { spec: sql`excluded.spec`, updateTime: sql`now()` };

/** In the order in which the kinds refer to each other, and backwards where something goes. */
async function write(db: Queryable, project: string, { put, remove }: Writes): Promise<Resource[]> {
  const written: Resource[] = [];
  for (const { spec } of put.filter(({ kind }) => kind === "projects"))
    written.push(...(await putProject(db, project, spec)));
  for (const kind of KINDS) {
    const rows = put.filter((one) => one.kind === kind);
    if (rows.length > 0) written.push(...(await putAll(db, kind, project, rows)));
  }
  for (const kind of KINDS.toReversed()) {
    const table = TABLES[kind];
    const names = remove.filter((place) => place.kind === kind).map(({ name }) => name);
    if (names.length > 0)
      await db.delete(table).where(and(eq(table.project, project), isOneOfNames(table, names)));
  }
  if (remove.some(({ kind }) => kind === "projects")) {
    await deleteTasks(db, project);
    await db.delete(projects).where(eq(projects.name, project));
  }
  return written;
}

function putProject(db: Queryable, name: string, spec: JsonObject): Promise<Resource[]> {
  return db
    .insert(projects)
    .values({ name, spec })
    .onConflictDoUpdate({
      target: projects.name,
      set: { ...SET, revision: sql`${projects.revision} + 1` },
    })
    .returning();
}

function putAll(db: Queryable, kind: Kind, project: string, rows: readonly Put[]): Promise<Resource[]> {
  const table = TABLES[kind];
  const secrets = kind in SECRET_TABLES ? { secrets: sql`excluded.secrets` } : {};
  return db
    .insert(table)
    .values(rows.map(({ name, spec, secrets }) => ({ project, name, spec, secrets })))
    .onConflictDoUpdate({
      target: [table.project, table.name],
      set: { ...SET, ...secrets, revision: sql`${table.revision} + 1` },
    })
    .returning();
}
