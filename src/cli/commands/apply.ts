import { styleText } from "node:util";
import type { Command } from "commander";
import {
  ApplyCatalogResponseSchema,
  CatalogAction,
  type CatalogChange,
  type FieldChange,
} from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { withSession } from "../session.ts";
import { jsonLine } from "../terminal/json.ts";
import { print, say } from "../terminal/output.ts";
import { printable } from "../terminal/printable.ts";

interface ApplyOptions {
  dryRun?: true;
  prune?: true;
  allowTags?: true;
}

const MARKS = [
  { action: CatalogAction.CREATE, mark: "+", word: "created", color: "green" },
  { action: CatalogAction.UPDATE, mark: "~", word: "updated", color: "yellow" },
  { action: CatalogAction.UNCHANGED, mark: "=", word: "unchanged", color: "dim" },
  { action: CatalogAction.DELETE, mark: "-", word: "deleted", color: "red" },
  {
    action: CatalogAction.KEEP,
    mark: "!",
    word: "not in the catalog, kept (--prune deletes)",
    color: "magenta",
  },
] as const;

export function addApply(program: Command): void {
  program
    .command("apply")
    .description(
      "make a project match a catalog file: creates and updates resources, deletes none unless --prune",
    )
    .argument("<file>", "the catalog, YAML or JSON; - for stdin")
    .option("--dry-run", "print what would change and change nothing")
    .option("--allow-tags", "allow !env and !file in every field, not only in secret ones")
    .option("--prune", "delete resources of the project that the catalog does not name")
    .action(
      withSession(async (session, file: string, { dryRun, prune, allowTags }: ApplyOptions) => {
        const { readCatalog } = await import("../catalog/read.ts");
        const { catalog, locate, place } = await readCatalog(file, { allowTags });
        const request = { catalog, validateOnly: dryRun, prune };
        const response = await session
          .call((client, options) => client.catalog.applyCatalog(request, options))
          .catch(locate);
        if (session.json) await print(jsonLine(ApplyCatalogResponseSchema, response));
        else for (const line of told(response.changes, dryRun ?? false)) await print(line);
        for (const { field, description } of response.warnings)
          say(`warning: ${place(field)}: ${printable(description)}`);
        const obstacles = response.changes.filter(({ obstacle }) => obstacle !== "");
        for (const { obstacle } of obstacles) say(obstacle);
        return obstacles.length > 0 ? 2 : 0;
      }),
    );
}

function told(changes: readonly CatalogChange[], dryRun: boolean): string[] {
  const lines = changes.flatMap(({ name, action, fields, differences }) => {
    const { mark, color } = MARKS.find((known) => known.action === action) ?? {
      mark: "?",
      color: "dim" as const,
    };
    const which = fields.length > 0 && differences.length === 0 ? ` (${fields.join(", ")})` : "";
    return [paint(color, `${mark} ${name}${which}`), ...differences.map(difference)];
  });
  const counts = MARKS.flatMap(({ action, word }) => {
    const count = changes.filter((change) => change.action === action).length;
    return count > 0 ? [`${count} ${word}`] : [];
  });
  return [...lines, `${dryRun ? "would be: " : ""}${counts.join(", ")}`];
}

/** `    run_timeout: "90s" → "5s"` */
function difference({ field, before, after, secret }: FieldChange): string {
  const value = (text: string) => (secret ? "(secret)" : printable(text) || "(nothing)");
  return `    ${printable(field)}: ${paint("red", value(before))} → ${paint("green", value(after))}`;
}

const paint = (color: Parameters<typeof styleText>[0], text: string) =>
  styleText(color, text, { stream: process.stdout });
