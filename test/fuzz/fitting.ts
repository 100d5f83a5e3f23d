import { randomUUID } from "node:crypto";
import type { DescField } from "@bufbuild/protobuf";
import type { Harvest } from "./harvest.ts";
import type { Random } from "./random.ts";
import { plainText } from "./texts.ts";

export interface FittingOptions {
  random: Random;
  harvest: Harvest;
  /** The contract's words about a field. */
  commentOf(field: DescField): string;
  /** A folder with the script `ok.sh`. */
  repository: string;
  /** Names of the contract's fields. */
  fieldNames: readonly string[];
}

const ID = "00000000-0000-4000-8000-0000000000";

/** Texts that a field takes, more often than not: by its name, and by what its comment says. */
export function fittingTexts({ random, harvest, commentOf, repository, fieldNames }: FittingOptions) {
  const byName: Record<string, () => string> = {
    filter: () => random.pick(FILTERS),
    order_by: () => random.pick(ORDERS),
    url: () => random.pick([repository, "/nonexistent/repository", "http://127.0.0.1:9/x.git"]),
    path: () => random.pick(["ok.sh", "missing.sh", "."]),
    app: () => random.pick(["bash", "sh", "python", "node", "ansible", "terraform", "perl"]),
    request_id: () => (random.chance(0.5) ? randomUUID() : `${ID}${10 + random.below(20)}`),
    commit: () => random.pick(["0123abc", "f".repeat(40)]),
    method: () => random.pick(["GET", "POST", "DELETE"]),
    key: () => random.pick(["A", "STAGE", "team", "a_b"]),
    script: () => random.pick(["", "exit 0", "echo hook"]),
    paths: () => random.pick(["*", ...fieldNames]),
  };
  const token = (name: string) => harvest.token(name) ?? "";

  return (field: DescField): string => {
    const own = byName[field.name];
    if (own) return own();
    if (/(^|_)(page_token|resume_token|etag|digest)$/.test(field.name)) return token(field.name);
    if (/_id$/.test(field.name)) return `made-${random.below(30)}`;
    const comment = commentOf(field);
    const [, collection] = /`projects\/\{\w+\}(?:\/(\w+)\/\{\w+\})?`/.exec(comment) ?? [];
    if (collection === undefined && !comment.includes("`projects/{project}`")) return plainText(random);
    const none = collection === undefined ? "projects/demo" : `projects/demo/${collection}/none`;
    const full = harvest.name(collection ?? "projects") ?? none;
    const mayBeShort = comment.includes("in a catalog the last part alone");
    return mayBeShort && random.chance(0.7) ? (full.split("/").at(-1) ?? "") : full;
  };
}

const FILTERS = [
  "",
  "status = RUNNING",
  'status != SUCCESS AND labels.team = "web"',
  'template = "demo/ok"',
  'create_time > "2026-01-01T00:00:00Z"',
  'create_time != "2026-01-01T00:00:00+25:00"',
  "labels.team = 'x' OR status = ERROR",
  'labels.A = "x"',
];
const ORDERS = [
  "",
  "create_time",
  "create_time desc",
  "start_time",
  "end_time desc",
  "name",
  "create_time  DESC",
];
