import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { type AuditEvent, AuditEventSchema } from "../../../gen/signalman/v1/audit_pb.ts";
import { parseWhole } from "../input/values.ts";
import { pages } from "../pages.ts";
import { withSession } from "../session.ts";
import { jsonLine } from "../terminal/json.ts";
import { print } from "../terminal/output.ts";
import { printable } from "../terminal/printable.ts";
import { table, terminalWidth } from "../terminal/table.ts";

interface AuditOptions {
  filter?: string;
  limit: number;
}

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
      withSession(async (session, { filter, limit }: AuditOptions) => {
        const shown: AuditEvent[] = [];
        const read = (page: object) =>
          session.call(({ audit }, call) => audit.listAuditEvents({ filter, ...page }, call));
        for await (const event of pages(limit, read, (page) => page.events)) {
          if (session.json) await print(jsonLine(AuditEventSchema, event));
          else shown.push(event);
        }
        if (!session.json) for (const line of auditTable(shown)) await print(line);
        return 0;
      }),
    );
}

function auditTable(events: readonly AuditEvent[]): string[] {
  const rows = events.map(({ time, caller, address, method, outcome, omittedCount, resource, fields }) => [
    time ? timestampDate(time).toISOString().slice(0, 19).replace("T", " ") : "",
    printable(caller),
    printable(address) || "-",
    printable(method),
    omittedCount > 0 ? `${outcome} +${omittedCount}` : outcome,
    printable([resource, fields.length > 0 ? `(${fields.join(", ")})` : ""].filter(Boolean).join(" ")),
  ]);
  const width = terminalWidth();
  return table(["TIME (UTC)", "CALLER", "ADDRESS", "METHOD", "OUTCOME", "RESOURCE (FIELDS)"], rows, {
    width,
  });
}
