import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { type AuditEvent, AuditEventSchema } from "../../../gen/signalman/v1/audit_pb.ts";
import { parseWhole } from "../input/values.ts";
import { type Session, withSession } from "../session.ts";
import { jsonLine } from "../terminal/json.ts";
import { print } from "../terminal/output.ts";
import { printable } from "../terminal/printable.ts";
import { table } from "../terminal/table.ts";

interface AuditOptions {
  filter?: string;
  limit: number;
}

const PAGE_SIZE = 1000;

export function addAudit(program: Command): void {
  program
    .command("audit")
    .description("list who changed what and who was refused, the newest first; --json exports JSON lines")
    .option(
      "--filter <filter>",
      'such as: caller = accounts/ci AND outcome != OK AND time > "2026-11-01T00:00:00Z"',
    )
    .option("--limit <n>", "largest number of events to print", parseWhole(1, 100_000_000), 50)
    .action(
      withSession(async (session, options: AuditOptions) => {
        const shown: AuditEvent[] = [];
        for await (const event of listed(session, options)) {
          if (session.json) await print(jsonLine(AuditEventSchema, event));
          else shown.push(event);
        }
        if (!session.json) for (const line of auditTable(shown)) await print(line);
        return 0;
      }),
    );
}

async function* listed(session: Session, { filter, limit }: AuditOptions): AsyncGenerator<AuditEvent> {
  let left = limit;
  let pageToken = "";
  do {
    const request = { filter, pageToken, pageSize: Math.min(left, PAGE_SIZE) };
    const page = await session.call(({ audit }, options) => audit.listAuditEvents(request, options));
    yield* page.events;
    left -= page.events.length;
    pageToken = page.nextPageToken;
  } while (pageToken && left > 0);
}

function auditTable(events: readonly AuditEvent[]): string[] {
  const rows = events.map(({ time, caller, address, method, outcome, resource, fields }) => [
    time ? timestampDate(time).toISOString().slice(0, 19).replace("T", " ") : "",
    printable(caller),
    printable(address) || "-",
    printable(method),
    outcome,
    printable([resource, fields.length > 0 ? `(${fields.join(", ")})` : ""].filter(Boolean).join(" ")),
  ]);
  const width = process.stdout.isTTY ? process.stdout.columns : undefined;
  return table(["TIME (UTC)", "CALLER", "ADDRESS", "METHOD", "OUTCOME", "RESOURCE (FIELDS)"], rows, {
    width,
  });
}
