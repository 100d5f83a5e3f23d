import { isAbsolute, resolve } from "node:path";
import type { Catalog } from "../../../gen/signalman/v1/catalog_service_pb.ts";

/** Makes the relative URLs of repositories absolute: they are relative to the folder of the file. */
export function absoluteUrls(catalog: Catalog, folder: string): void {
  for (const repository of catalog.repositories) {
    if (isRelative(repository.url)) repository.url = resolve(folder, repository.url);
  }
}

/** Neither empty, nor a path from the root, nor `scheme:…`, nor `host:path` as ssh has it. */
function isRelative(url: string): boolean {
  return url !== "" && !isAbsolute(url) && !/^[^/]+:/.test(url);
}
