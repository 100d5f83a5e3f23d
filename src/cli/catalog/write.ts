import { type DescMessage, toJson } from "@bufbuild/protobuf";
import { Document, Scalar } from "yaml";
import { CatalogSchema, type ExportCatalogResponse } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { yamlText } from "../terminal/yaml.ts";
import { type Path, parsePath } from "./path.ts";

const LEFT_OUT = " left out: a secret; empty keeps what is stored";

/** A catalog as a file: `signalman apply` of it changes nothing. Each secret that is left out has its place there. */
export function catalogText({ catalog, leftOut }: ExportCatalogResponse): string {
  if (!catalog) return "";
  // Quoted is what readers of YAML 1.1 take for something else: `yes`, `12:30`, `<<`.
  const document = new Document(toJson(CatalogSchema, catalog), { compat: "yaml-1.1" });
  for (const path of leftOut) {
    const empty = new Scalar("");
    empty.type = Scalar.QUOTE_DOUBLE;
    empty.comment = LEFT_OUT;
    document.setIn(inJson(CatalogSchema, parsePath(path)), empty);
  }
  return yamlText(document);
}

/** A path by the names of the contract → by those of JSON. Names in a map stay. */
function inJson(desc: DescMessage | undefined, [step, ...rest]: Path): Path {
  if (step === undefined) return [];
  const field = desc?.fields.find(({ name }) => name === step);
  if (!field) return [step, ...inJson(desc, rest)];
  return [field.jsonName, ...inJson(field.fieldKind === "map" ? undefined : field.message, rest)];
}
