import type { JsonObject } from "@bufbuild/protobuf";
import { and, eq, sql } from "drizzle-orm";
import type { Actor } from "../../task/caller.ts";
import type { Failure } from "../../task/errors.ts";
import { type Audited, recordChanges } from "../audit.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { isOneOfNames } from "../postgres/is-one-of.ts";
import { accounts } from "../schema/accounts.ts";
import { projects } from "../schema/resources.ts";
import { deleteTasks, obstaclesTo } from "./in-use.ts";
import {
  type AnyKind,
  columnsOf,
  KINDS,
  type Kind,
  type Resource,
  type ResourceRef,
  SECRET_TABLES,
  specOf,
  TABLES,
  type WholeResource,
} from "./kinds.ts";

/*
 * Writes catalog resources. Every write, of one resource or of a whole catalog, goes through `changeProject`: under an
 * advisory lock of the project it reads the stored state, passes it to a pure function of rpc/catalog/, and writes the
 * result in the same transaction. Writers of one project take turns.
 */

/** The stored state of a project, by kind and name, read under the project's lock. */
export interface ProjectState {
  /**
   * Specs of all stored resources, without the fields in BULKY. Of the accounts, which are in no project, only names; none
   * unless a role binding was requested.
   */
  outlines: Record<AnyKind | "accounts", Map<string, JsonObject>>;
  /** The requested resources that exist, whole and with their sealed secrets. */
  wholes: Record<AnyKind, Map<string, WholeResource>>;
}

/** A resource to create or update. */
export interface Put extends ResourceRef {
  spec: JsonObject;
  secrets: Buffer | null;
  /** Names of the fields that change, for the audit event. */
  fields?: readonly string[];
}

export interface Writes {
  put: readonly Put[];
  /**
   * Resources to delete. With `force`, a project's ended tasks and their logs are deleted too; else it may have no
   * tasks.
   */
  remove: readonly ResourceRef[];
  force?: boolean;
  /** Decides and checks, but writes nothing. */
  isRehearsal: boolean;
  /** Absent: no audit events are stored. */
  actor?: Actor;
}

/** Large fields of a spec, none of which refers to another resource. */
const BULKY = ["description", "ini", "yaml", "variables", "env", "arguments", "survey"];

/**
 * Reads a project, calls `decide`, which is pure, and writes its decision, in one transaction under the project's lock.
 * Returns the decision, the written resources, and the failures that a real run of a rehearsal would meet.
 * `patienceMs`: time limit in milliseconds, if not the default of all statements.
 * @throws Failure precondition if a template to delete has tasks that have not ended; errors of `decide`.
 */
export async function changeProject<W extends Writes>(
  database: Database,
  project: string,
  asked: readonly ResourceRef[],
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
        const written = await write(tx, project, decision);
        await recordChanges(tx, decision.actor, changesOf(project, decision));
        return { decision, written, obstacles };
      }),
    patienceMs,
  );
}

const changesOf = (project: string, { put, remove }: Writes): Audited[] => [
  ...put.map(({ kind, name, fields }) => ({
    resource: nameOf(project, kind, name),
    ...(fields && { fields }),
  })),
  ...remove.map(({ kind, name }) => ({ resource: nameOf(project, kind, name) })),
];

const nameOf = (project: string, kind: AnyKind, name: string) =>
  kind === "projects" ? `projects/${name}` : `projects/${project}/${kind}/${name}`;

async function readState(
  db: Queryable,
  project: string,
  asked: readonly ResourceRef[],
): Promise<ProjectState> {
  const [row] = await db.select().from(projects).where(eq(projects.name, project));
  const own = new Map(row ? [[project, { ...row, secrets: null }]] : []);
  const outline = new Map(row ? [[project, row.spec]] : []);
  const outlines: Partial<ProjectState["outlines"]> = { projects: outline };
  const wholes: Partial<ProjectState["wholes"]> = { projects: own };
  for (const kind of KINDS) {
    const names = asked.filter((ref) => ref.kind === kind).map(({ name }) => name);
    outlines[kind] = await readOutlines(db, kind, project);
    wholes[kind] = await readWholes(db, kind, project, names);
  }
  const needsAccounts = asked.some(({ kind }) => kind === "roleBindings");
  outlines.accounts = needsAccounts ? await lockAccounts(db) : new Map();
  return { outlines, wholes } as ProjectState;
}

async function readOutlines(db: Queryable, kind: Kind, project: string): Promise<Map<string, JsonObject>> {
  const table = TABLES[kind];
  const spec = sql<JsonObject>`${specOf(kind)} - ${`{${BULKY.join(",")}}`}::text[]`;
  const rows = await db.select({ name: table.name, spec }).from(table).where(eq(table.project, project));
  return new Map(rows.map((row) => [row.name, row.spec]));
}

/** Returns the names of all accounts, none of which can be deleted until the transaction ends. */
async function lockAccounts(db: Queryable): Promise<Map<string, JsonObject>> {
  const rows = await db.select({ name: accounts.name }).from(accounts).for("key share");
  return new Map(rows.map(({ name }) => [name, {}]));
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
    .select(columnsOf(kind))
    .from(table)
    .where(and(eq(table.project, project), isOneOfNames(table.name, names)));
  return new Map(rows.map((row) => [row.name, { ...row, secrets: row.secrets ?? null }]));
}

const SET = { spec: sql`excluded.spec`, updateTime: sql`now()` };

/** Writes resources in the order in which kinds refer to each other; deletes in the reverse order. */
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
    const names = remove.filter((ref) => ref.kind === kind).map(({ name }) => name);
    if (names.length > 0)
      await db.delete(table).where(and(eq(table.project, project), isOneOfNames(table.name, names)));
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
  const restricts = kind === "templates" ? { restrictsCallers: true } : {};
  return db
    .insert(table)
    .values(rows.map(({ name, spec, secrets }) => ({ project, name, spec, secrets, ...restricts })))
    .onConflictDoUpdate({
      target: [table.project, table.name],
      set: { ...SET, ...secrets, ...restricts, revision: sql`${table.revision} + 1` },
    })
    .returning();
}
