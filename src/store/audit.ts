/*
 * Audit events: who changed what, and who was refused. The event of a change is stored in the transaction of the change:
 * both are committed, or neither. Events are never updated, and are deleted only when their retention is over; triggers of
 * the database enforce both (migration 0008).
 */

import { and, desc, eq, ne, type SQL, sql } from "drizzle-orm";
import type { Actor } from "../task/caller.ts";
import type { Reason } from "../task/reasons.ts";
import type { Database, Queryable } from "./postgres/database.ts";
import { isOneOfNames } from "./postgres/is-one-of.ts";
import { type Places, statement } from "./postgres/statement.ts";
import { auditEvents, auditRetention } from "./schema/audit.ts";
import { type Scopes, wholeProjects } from "./tasks/scopes.ts";

export type AuditEvent = Omit<typeof auditEvents.$inferSelect, "keepUntil">;

/** Subject of an event. */
export interface Audited {
  /** Full resource name; empty: everything. */
  resource: string;
  /** Template of a task, by the last part of its name. */
  template?: string;
  /** Names of changed fields, if they say more than those of the request. */
  fields?: readonly string[];
}

/** Expression for the time until which a new event is kept. */
export const KEEP_UNTIL = sql`statement_timestamp() + coalesce((SELECT keep FROM audit_retention), interval '365 days')`;

interface Values {
  caller: string;
  address: string;
  method: string;
  requestId: string;
  outcome: string;
  reason: string;
  omitted: number;
  events: string;
}

const insertEvents = statement<Values, never>(
  (at) => sql`
    INSERT INTO audit_events (
      id, time, keep_until, caller, address, method, resource, project, template, fields, outcome, reason, omitted_count, request_id)
    SELECT uuid_v7(clock_timestamp()), statement_timestamp(), ${KEEP_UNTIL}, ${at.caller}, ${at.address}, ${at.method},
           resource, CASE WHEN resource LIKE 'projects/%' THEN split_part(resource, '/', 2) ELSE '' END,
           coalesce(template, ''), fields, ${at.outcome}, ${at.reason}, ${at.omitted}, ${at.requestId}
    FROM jsonb_to_recordset(${at.events}::jsonb) AS event (resource text, template text, fields jsonb)`,
);

/** Records changes in the transaction that makes them. Without an actor nothing is recorded. */
export async function recordChanges(
  tx: Pick<Queryable, "execute">,
  actor: Actor | undefined,
  changes: readonly Audited[],
): Promise<void> {
  if (actor && changes.length > 0) await insertEvents(tx, valuesOf(actor, changes, "OK", ""));
}

/**
 * Records that a call was refused. `code`: the gRPC code by its name. `omitted`: number of refusals before it that are not
 * recorded.
 */
export async function recordRefusal(
  database: Database,
  actor: Actor,
  { resource, code, reason, omitted }: { resource: string; code: string; reason: Reason; omitted: number },
): Promise<void> {
  await database.run((db) => insertEvents(db, { ...valuesOf(actor, [{ resource }], code, reason), omitted }));
}

function valuesOf(
  { caller, address, method, requestId, fields }: Actor,
  changes: readonly Audited[],
  outcome: string,
  reason: string,
): Values {
  const events = JSON.stringify(changes.map((change) => ({ fields, ...change })));
  return { caller, address, method, requestId, outcome, reason, omitted: 0, events };
}

/** Values of the audit part of another statement; `method` is empty without an actor. */
export interface ActorValues {
  auditCaller: string;
  auditAddress: string;
  auditMethod: string;
  auditRequestId: string;
  auditFields: string;
}

export const actorValues = (actor: Actor | undefined): ActorValues => ({
  auditCaller: actor?.caller ?? "",
  auditAddress: actor?.address ?? "",
  auditMethod: actor?.method ?? "",
  auditRequestId: actor?.requestId ?? "",
  auditFields: JSON.stringify(actor?.fields ?? []),
});

/**
 * Returns the INSERT of an audit event for each created task. `made` names the part of the same statement that returns
 * their ids, projects and templates. One statement stores task and event, which saves a round trip for every task.
 */
export const insertForTasks = (at: Places<ActorValues>): SQL => sql`
  INSERT INTO audit_events (
    id, time, keep_until, caller, address, method, resource, project, template, fields, outcome, reason, request_id)
  SELECT uuid_v7(clock_timestamp()), statement_timestamp(), ${KEEP_UNTIL}, ${at.auditCaller}, ${at.auditAddress},
         ${at.auditMethod}, 'projects/' || project || '/tasks/' || id, project, template, ${at.auditFields}::jsonb,
         'OK', '', ${at.auditRequestId}
  FROM made WHERE ${at.auditMethod}::text <> ''`;

/** A term of a filter of events. */
export type AuditTerm =
  | {
      field: "caller" | "method" | "outcome" | "resource" | "project" | "template";
      op: "=" | "!=";
      value: string;
    }
  | { field: "time"; op: "=" | "!=" | "<" | "<=" | ">" | ">="; value: Date };

export interface AuditQuery {
  scopes: Scopes;
  terms: readonly AuditTerm[];
  /** Id of the last event of the page before. */
  afterId: string | null;
  limit: number;
}

/** Returns a page of the events that the caller may see, the newest first. */
export async function listAuditEvents(
  database: Database,
  { scopes, terms, afterId, limit }: AuditQuery,
): Promise<AuditEvent[]> {
  const projects = wholeProjects(scopes);
  return database.runUnprepared((db) =>
    db
      .select()
      .from(auditEvents)
      .where(
        and(
          projects && isOneOfNames(auditEvents.project, projects),
          afterId === null ? undefined : sql`${auditEvents.id} < ${afterId}`,
          ...terms.map(condition),
        ),
      )
      .orderBy(desc(auditEvents.id))
      .limit(limit),
  );
}

function condition(term: AuditTerm): SQL {
  if (term.field === "time")
    return sql`${auditEvents.time} ${sql.raw(term.op)} ${term.value.toISOString()}::timestamptz`;
  return term.op === "=" ? eq(auditEvents[term.field], term.value) : ne(auditEvents[term.field], term.value);
}

/** Sets how long new events are kept, in milliseconds. */
export async function setAuditRetention(database: Database, ms: number): Promise<void> {
  const keep = sql`${`${ms} ms`}::interval`;
  await database.run((db) =>
    db
      .insert(auditRetention)
      .values({ keep })
      .onConflictDoUpdate({ target: auditRetention.id, set: { keep } }),
  );
}

const BATCH = 5000;

/** Deletes events whose retention is over. */
export async function forgetAuditEvents(database: Database): Promise<void> {
  for (let count = BATCH; count === BATCH; ) {
    const rows = await database.run((db) =>
      db.execute(sql`
        DELETE FROM audit_events WHERE id = ANY(ARRAY(
          SELECT id FROM audit_events WHERE keep_until < now() LIMIT ${BATCH})) RETURNING 1`),
    );
    count = rows.length;
  }
}
