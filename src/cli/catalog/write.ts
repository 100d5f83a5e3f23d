import { type DescMessage, toJson } from "@bufbuild/protobuf";
import { Document, Scalar } from "yaml";
import { CatalogSchema, type ExportCatalogResponse } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { yamlText } from "../terminal/yaml.ts";
import { type Path, parsePath } from "./path.ts";

const LEFT_OUT = " secret, left out; an empty value keeps the stored one";

/** Text of a catalog file. Applied unchanged it changes nothing. A secret that is left out keeps its place as an empty text. */
export function catalogText({ catalog, leftOut }: ExportCatalogResponse): string {
  if (!catalog) return "";
  // Quotes texts that YAML 1.1 reads as other types: `yes`, `12:30`, `<<`.
  const document = new Document(toJson(CatalogSchema, catalog), { compat: "yaml-1.1" });
  for (const path of leftOut) {
    const empty = new Scalar("");
    empty.type = Scalar.QUOTE_DOUBLE;
    empty.comment = LEFT_OUT;
    document.setIn(inJson(CatalogSchema, parsePath(path)), empty);
  }
  return yamlText(document);
}

/** Converts a path from field names of the contract to those of JSON. Keys of maps stay as they are. */
function inJson(desc: DescMessage | undefined, [step, ...rest]: Path): Path {
  if (step === undefined) return [];
  const field = desc?.fields.find(({ name }) => name === step);
  if (!field) return [step, ...inJson(desc, rest)];
  return [field.jsonName, ...inJson(field.fieldKind === "map" ? undefined : field.message, rest)];
}
