import { dirname, resolve } from "node:path";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { BadRequestSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { type Catalog, CatalogSchema } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { decode } from "../../rpc/json/decode.ts";
import { TOO_LARGE } from "../../rpc/json/whole-numbers.ts";
import { UsageError } from "../errors.ts";
import { readText } from "../input/read-text.ts";
import { type Path, parsePath } from "./path.ts";
import { absoluteUrls } from "./relative-urls.ts";
import { isSecretField } from "./secret-fields.ts";
import { spelledOut } from "./shorthand.ts";
import { parseText, type Source } from "./source.ts";
import { fillTags } from "./tags.ts";

const NOT_SECRET = "works in secret fields alone; apply --allow-tags allows it in every field";

export interface CatalogFile {
  catalog: Catalog;
  /** Throws the error. Field violations become a UsageError that names file and line of each. */
  locate(error: unknown): never;
  /** Place of a field of the request: `catalog.yaml:12: templates[0].path`. */
  place(field: string): string;
}

/**
 * Reads a catalog: the proto3 JSON mapping, in YAML or JSON, with the short forms of shorthand.ts. `!env NAME` and `!file PATH`
 * take a secret from the environment or a file, and with `allowTags` any value. `-` is stdin.
 * @throws UsageError that names file, line and path of every error
 */
export async function readCatalog(file: string, { allowTags = false } = {}): Promise<CatalogFile> {
  const name = file === "-" ? "stdin" : file;
  const folder = file === "-" ? process.cwd() : dirname(resolve(file));
  const tags = { folder, allows: allowTags ? undefined : isSecretField, refusal: NOT_SECRET };
  const source = parseText(name, await readText(file), (document) => fillTags(document, tags));
  const json = spelledOut(CatalogSchema, source.value, source);
  const { message, problems } = decode(CatalogSchema, json);
  const large = source.largeNumbers.filter((path) => typeof valueAt(json, path) === "number");
  if (!message || large.length > 0) {
    const all = [...problems, ...large.map((path) => ({ path, description: TOO_LARGE }))];
    throw new UsageError(all.map(({ path, description }) => `${source.place(path)}: ${description}`));
  }
  absoluteUrls(message, folder);
  return {
    catalog: message,
    locate: (error) => throwLocated(source, error),
    place: (field) => placeOf(source, field),
  };
}

/** Value at a path; undefined if there is none. */
function valueAt(json: JsonValue | undefined, [key, ...rest]: Path): JsonValue | undefined {
  if (key === undefined || typeof json !== "object" || json === null) return json;
  return valueAt((json as JsonObject)[key], rest);
}

const placeOf = (source: Source, field: string): string =>
  source.place(parsePath(field.replace(/^catalog\.?/, "")));

function throwLocated(source: Source, error: unknown): never {
  if (!(error instanceof ConnectError)) throw error;
  const violations = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
  if (violations.length === 0) throw error;
  const lines = violations.map(({ field, description }) => {
    return `${placeOf(source, field)}: ${description}`;
  });
  throw new UsageError(lines, { cause: error });
}
