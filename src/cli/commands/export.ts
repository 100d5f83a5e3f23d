import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { ExportCatalogResponseSchema } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { UsageError } from "../errors.ts";
import { fileTrouble } from "../input/file-errors.ts";
import { parseProject } from "../input/names.ts";
import { withSession } from "../session.ts";
import { jsonLine } from "../terminal/json.ts";
import { write } from "../terminal/output.ts";

export function addExport(program: Command): void {
  program
    .command("export")
    .description("write a project as a catalog file that can be applied again; secrets are left out")
    .argument("<project>", "the project", parseProject)
    .option("--output <file>", "file to write; stdout unless given")
    .action(
      withSession(async (session, name: string, { output }: { output?: string }) => {
        const { catalogText } = await import("../catalog/write.ts");
        const response = await session.call((client, options) =>
          client.catalog.exportCatalog({ name }, options),
        );
        const text = session.json
          ? `${jsonLine(ExportCatalogResponseSchema, response)}\n`
          : catalogText(response);
        if (output === undefined) await write(process.stdout, text);
        else await writeTo(output, text);
        return 0;
      }),
    );
}

async function writeTo(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (cause) {
    throw new UsageError(`cannot write ${file}: ${fileTrouble(cause, "folder")}`, { cause });
  }
}
