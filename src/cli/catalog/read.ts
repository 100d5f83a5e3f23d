import { dirname, resolve } from "node:path";
import { ConnectError } from "@connectrpc/connect";
import { BadRequestSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { type Catalog, CatalogSchema } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { decode } from "../../rpc/json/decode.ts";
import { UsageError } from "../errors.ts";
import { readText } from "../input/read-text.ts";
import { parsePath } from "./path.ts";
import { absoluteUrls } from "./relative-urls.ts";
import { parseText, type Source } from "./source.ts";

export interface CatalogFile {
  catalog: Catalog;
  /** Throws the error; what the service finds wrong with the catalog is said with file and line. */
  locate(error: unknown): never;
}

/**
 * Reads a catalog as people write it: the proto3 JSON mapping, in YAML or JSON, with `!env NAME` and `!file PATH` for
 * values that stand elsewhere. `-` is stdin.
 * @throws UsageError that names file, line and path of all that is wrong.
 */
export async function readCatalog(file: string): Promise<CatalogFile> {
  const name = file === "-" ? "stdin" : file;
  const folder = file === "-" ? process.cwd() : dirname(resolve(file));
  const source = parseText(name, await readText(file), folder);
  const { message, problems } = decode(CatalogSchema, source.value);
  if (!message) {
    throw new UsageError(problems.map(({ path, description }) => `${source.place(path)}: ${description}`));
  }
  absoluteUrls(message, folder);
  return { catalog: message, locate: (error) => throwLocated(source, error) };
}

function throwLocated(source: Source, error: unknown): never {
  if (!(error instanceof ConnectError)) throw error;
  const violations = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
  if (violations.length === 0) throw error;
  const lines = violations.map(({ field, description }) => {
    return `${source.place(parsePath(field.replace(/^catalog\.?/, "")))}: ${description}`;
  });
  throw new UsageError(lines, { cause: error });
}
