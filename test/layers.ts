import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";

/*
 * Checks the structure of src/: a room imports only from itself and from rooms below it, no file takes part in an import
 * cycle, and no file is longer than its limit. Imports of types count like all others. `npm run check` runs it.
 */

/** From the top of the house to its ground. A room is a folder, or a file at the top of src/. Neighbours on one floor know nothing of each other. */
const ROOMS = [
  ["cli"],
  ["client"],
  ["main.ts"],
  ["service"],
  ["config.ts"],
  ["settings"],
  ["http", "pool"],
  ["rpc", "runner"],
  ["submission"],
  ["jobs"],
  ["git", "keys"],
  ["process"],
  ["logs"],
  ["live"],
  ["access"],
  ["store"],
  ["embedded"],
  ["async", "files", "telemetry"],
  ["task"],
];
/** Rooms from which no other room may import: a client holds nothing of the server. */
const OUTSIDERS = ["client"];
/** Rooms that lie below and are closed all the same: what runs a program is behind the door, jobs/job.ts. */
const CLOSED: Readonly<Record<string, readonly string[]>> = { runner: ["process"], pool: ["process"] };
const MAX_LINES = 250;

const src = fileURLToPath(new URL("../src", import.meta.url));
const floor = new Map(ROOMS.flatMap((rooms, level) => rooms.map((room) => [room, level] as const)));
const nameOf = (path: string) => relative(src, path);
const roomOf = (path: string) => nameOf(path).split("/")[0] ?? "";
const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => join(src, name));
const imports = new Map(files.map((file) => [file, importsOf(file)]));

const faults = [
  ...files.flatMap((file) => [...faultsOfImports(file), ...faultsOfLength(file)]),
  ...circles(),
];
for (const fault of faults) console.error(fault);
console.log(`${files.length} files in ${floor.size} rooms, ${faults.length} faults`);
process.exitCode = faults.length > 0 ? 1 : 0;

/** Returns the files under src/ that a file imports from, including imports of types and dynamic imports. */
function importsOf(file: string): string[] {
  const paths = readFileSync(file, "utf8").matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
  return [...paths]
    .map(([, path = ""]) => normalize(join(dirname(file), path)))
    .filter((path) => path.startsWith(`${src}/`));
}

function faultsOfImports(file: string): string[] {
  const room = roomOf(file);
  if (!floor.has(room)) return [`${nameOf(file)}: the room ${room} is not in the list of test/layers.ts`];
  return (imports.get(file) ?? []).flatMap((target) => {
    const fault = faultBetween(room, roomOf(target));
    return fault ? [`${nameOf(file)} imports ${nameOf(target)}: ${fault}`] : [];
  });
}

function faultBetween(from: string, to: string): string | undefined {
  if (from === to) return undefined;
  if (OUTSIDERS.includes(from)) return `${from} stands alone`;
  if (CLOSED[from]?.includes(to)) return `${to} is closed to ${from}`;
  const [above = 0, below = 0] = [floor.get(from), floor.get(to)];
  return above < below ? undefined : `${to} is not below ${from}`;
}

/** Returns one line for each import cycle. */
function circles(): string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const walk = (file: string, way: readonly string[]): void => {
    const at = way.indexOf(file);
    if (at >= 0) found.push(`a circle of imports: ${[...way.slice(at), file].map(nameOf).join(" → ")}`);
    if (at >= 0 || done.has(file)) return;
    for (const target of imports.get(file) ?? []) walk(target, [...way, file]);
    done.add(file);
  };
  for (const file of files) walk(file, []);
  return found;
}

function faultsOfLength(file: string): string[] {
  const lines = readFileSync(file, "utf8").split("\n").length - 1;
  return lines > MAX_LINES ? [`${nameOf(file)} has ${lines} lines, more than ${MAX_LINES}`] : [];
}
