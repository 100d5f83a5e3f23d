import { isAbsolute, resolve } from "node:path";
import type { Catalog } from "../../../gen/signalman/v1/catalog_service_pb.ts";

/** Makes relative URLs of repositories absolute; they are relative to the folder of the catalog. */
export function absoluteUrls(catalog: Catalog, folder: string): void {
  for (const repository of catalog.repositories) {
    if (isRelative(repository.url)) repository.url = resolve(folder, repository.url);
  }
}

/** Whether a URL is neither empty, nor an absolute path, nor `scheme:…`, nor `host:path` of ssh. */
function isRelative(url: string): boolean {
  return url !== "" && !isAbsolute(url) && !/^[^/]+:/.test(url);
}
