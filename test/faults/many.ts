import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient, type Transport } from "@connectrpc/connect";
import type postgres from "postgres";
import { TaskStatus, TaskStatusSchema } from "../../gen/signalman/v1/task_pb.ts";
import {
  TaskService,
  type WatchTasksRequestSchema,
  type WatchTasksResponse,
} from "../../gen/signalman/v1/task_service_pb.ts";

export type WatchTasksInit = MessageInitShape<typeof WatchTasksRequestSchema>;

/** A watch of many tasks: its snapshot, and the changes that came after `position`. */
export interface Telling {
  /** `ID STATUS`, sorted. */
  snapshot: string[];
  position: number;
  /** `ID STATUS` in the order in which they came. */
  changes: string[];
  /** Number of times that it was resumed. */
  cuts: number;
}

export interface Pieces {
  /** Transports, one of which is chosen at random for each piece. */
  ways: readonly Transport[];
  random(below: number): number;
  /** Returns whether the watch ends after these changes. */
  until(changes: readonly string[]): boolean;
}

const idOf = (name: string | undefined) => name?.split("/").at(-1) ?? "";
const said = (name: string | undefined, status: TaskStatus = TaskStatus.UNSPECIFIED) =>
  `${idOf(name)} ${TaskStatusSchema.value[status]?.localName}`;

/** Returns the position in a token of WatchTasks. */
export function positionIn(token: string): number {
  return Number((JSON.parse(Buffer.from(token, "base64url").toString()) as string[])[0]);
}

/** Watches in pieces of a few events each, on random servers; each piece resumes with the last token of the one before. */
export async function watchInPieces(
  request: WatchTasksInit,
  { ways, random, until }: Pieces,
): Promise<Telling> {
  const telling: Telling = { snapshot: [], position: 0, changes: [], cuts: 0 };
  let resumeToken = "";
  for (; ; telling.cuts++) {
    const way = ways[random(ways.length)];
    if (!way) throw new Error("There is no way to a server");
    let left = random(20);
    for await (const response of createClient(TaskService, way).watchTasks({ ...request, resumeToken })) {
      resumeToken = response.resumeToken;
      take(telling, response);
      if (resumeToken !== "" && until(telling.changes))
        return { ...telling, snapshot: telling.snapshot.sort() };
      if (resumeToken !== "" && left-- === 0) break;
    }
  }
}

function take(telling: Telling, { resumeToken, event }: WatchTasksResponse): void {
  if (event.case === "snapshot")
    telling.snapshot.push(said(event.value.task?.name, event.value.task?.status));
  if (event.case === "synced") telling.position = positionIn(resumeToken);
  if (event.case === "change") telling.changes.push(said(event.value.task?.name, event.value.change?.status));
}

/** Returns the events that a watch synced at a position must send, from the stored events. */
export async function truth(
  sql: postgres.Sql,
  position: number,
): Promise<Pick<Telling, "snapshot" | "changes">> {
  const before = await sql`
    SELECT DISTINCT ON (task_id) task_id::text AS id, status FROM task_events
    WHERE position <= ${position} ORDER BY task_id, ordinal DESC`;
  const after = await sql`
    SELECT task_id::text AS id, status FROM task_events WHERE position > ${position} OR position IS NULL
    ORDER BY position`;
  const told = (row: postgres.Row) => `${row.id} ${row.status}`;
  const open = before.filter(({ status }) => !["SUCCESS", "ERROR", "STOPPED"].includes(String(status)));
  return { snapshot: open.map(told).sort(), changes: after.map(told) };
}
