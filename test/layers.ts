import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";

/*
 * Checks the house: a room under src/ imports only from itself and from rooms below it, and no file is longer than
 * its budget. `npm run check` runs it; import cycles are Biome's to find.
 */

/** From the top of the house to its ground. A room is a folder, or a file at the top of src/. */
const ROOMS = [
  ["cli"],
  ["client"],
  ["main.ts"],
  ["service"],
  ["config.ts"],
  ["settings"],
  ["http"],
  ["rpc"],
  ["pool"],
  ["runner"],
  ["submission"],
  ["jobs"],
  ["git", "keys"],
  ["process"],
  ["logs"],
  ["live"],
  ["store"],
  ["embedded"],
  ["async"],
  ["task"],
];
/** A client holds nothing of the server. */
const OUTSIDERS = ["client"];
const MAX_LINES = 250;

const src = fileURLToPath(new URL("../src", import.meta.url));
const floor = new Map(ROOMS.flatMap((rooms, level) => rooms.map((room) => [room, level] as const)));
const roomOf = (path: string) => relative(src, path).split("/")[0] ?? "";
const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => join(src, name));

const faults = files.flatMap((file) => [...faultsOfImports(file), ...faultsOfLength(file)]);
for (const fault of faults) console.error(fault);
console.log(`${files.length} files in ${floor.size} rooms, ${faults.length} faults`);
process.exitCode = faults.length > 0 ? 1 : 0;

function faultsOfImports(file: string): string[] {
  const room = roomOf(file);
  if (!floor.has(room))
    return [`${relative(src, file)}: the room ${room} is not in the list of test/layers.ts`];
  const imports = readFileSync(file, "utf8").matchAll(/(?:from|import) "(\.[^"]+)"/g);
  return [...imports].flatMap(([, path = ""]) => {
    const target = normalize(join(dirname(file), path));
    if (!target.startsWith(`${src}/`)) return [];
    const fault = faultBetween(room, roomOf(target));
    return fault ? [`${relative(src, file)} imports ${relative(src, target)}: ${fault}`] : [];
  });
}

function faultBetween(from: string, to: string): string | undefined {
  if (from === to) return undefined;
  if (OUTSIDERS.includes(from)) return `${from} stands alone`;
  const [above = 0, below = 0] = [floor.get(from), floor.get(to)];
  return above < below ? undefined : `${to} is not below ${from}`;
}

function faultsOfLength(file: string): string[] {
  const lines = readFileSync(file, "utf8").split("\n").length - 1;
  return lines > MAX_LINES ? [`${relative(src, file)} has ${lines} lines, more than ${MAX_LINES}`] : [];
}
