import { realpath } from "node:fs/promises";
import { join, sep } from "node:path";

/** What a path below a folder leads to, through links; undefined: out of the folder. @throws if there is nothing. */
export async function realpathInside(folder: string, path: string): Promise<string | undefined> {
  const found = await realpath(join(folder, path));
  return `${found}${sep}`.startsWith(`${await realpath(folder)}${sep}`) ? found : undefined;
}
