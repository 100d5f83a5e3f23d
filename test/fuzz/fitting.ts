import type { DescField } from "@bufbuild/protobuf";
import type { Draft } from "./draft.ts";
import type { Harvest, Known } from "./harvest.ts";
import type { Random } from "./random.ts";
import { plainText } from "./texts.ts";

export interface FittingOptions {
  harvest: Harvest;
  /** Returns the contract's comment on a field. */
  commentOf(field: DescField): string;
  /** A folder with the script `ok.sh`. */
  repository: string;
}

/** Returns texts that a field probably accepts, by its name and its comment. */
export function fittingTexts({ harvest, commentOf, repository }: FittingOptions) {
  const byName: Record<string, (draft: Draft) => string> = {
    filter: ({ random, method }) => random.pick(method.name === "WatchTasks" ? FIXED_FILTERS : FILTERS),
    order_by: ({ random }) => random.pick(ORDERS),
    url: ({ random }) => random.pick([repository, repository, "/nonexistent", "http://127.0.0.1:9/x.git"]),
    path: ({ random }) => random.pick(["ok.sh", "ok.sh", "missing.sh", "."]),
    app: ({ random }) => random.pick(APPS),
    request_id: ({ random }) => uuid(random),
    commit: ({ random }) => random.pick(["0123abc", "f".repeat(40)]),
    method: ({ random }) => random.pick(["POST", "PUT", "DELETE", "GET"]),
    script: ({ random }) => random.pick(["exit 0", "echo hook"]),
    type: () => "local",
    start_version: ({ random }) => random.pick(["1.0.0", "7", "v1.0.009"]),
    paths: ({ random, method }) => random.pick(["*", ...resourceFields(method.input.fields)]),
    etag: ({ named }) => harvest.told(named, "etag") ?? "",
    plan_digest: ({ named }) => harvest.told(named, "digest") ?? "none",
    page_token: () => "",
    resume_token: () => "",
  };

  function nameOf(draft: Draft, field: DescField, collection: string): string {
    const { random, method, project } = draft;
    const isOwn = field.name === "name";
    const fits = isOwn ? WANTED[method.name] : undefined;
    const none = collection === "projects" ? "projects/demo" : `projects/${project}/${collection}/${NONE}`;
    const place = { project, collection };
    const isParent = collection === "projects" && !isOwn;
    const found = isParent
      ? `projects/${project}`
      : ((fits && harvest.name(random, place, fits)) ?? harvest.name(random, place));
    const isNew = isOwn && method.name === "ApplyCatalog";
    const full = isNew ? `${none.replace(/[^/]+$/, "")}${madeId(random)}` : (found ?? none);
    draft.named = full;
    return full;
  }

  return (draft: Draft, field: DescField): string => {
    const { random, method } = draft;
    const own = byName[field.name];
    if (own) return own(draft);
    if (field.name === "project_id") return draft.project;
    if (/_id$/.test(field.name)) return madeId(random);
    const comment = commentOf(field);
    const [, collection] = /`projects\/\{\w+\}(?:\/(\w+)\/\{\w+\})?`/.exec(comment) ?? [];
    if (collection === undefined && !comment.includes("`projects/{project}`")) return plainText(random);
    if (method.name === "ApplyCatalog" && collection === undefined) return draft.project;
    const full = nameOf(draft, field, collection ?? "projects");
    const mayBeShort = comment.includes("in a catalog the last part alone");
    const mustBeFull = field.name === "name" && method.name !== "ApplyCatalog";
    return mayBeShort && !mustBeFull && random.chance(0.5) ? (full.split("/").at(-1) ?? "") : full;
  };
}

/** Statuses of the tasks on which an RPC has an effect. */
const WANTED: Record<string, (known: Known) => boolean> = {
  ConfirmTask: ({ status }) => status === 4,
  RejectTask: ({ status }) => status === 4,
  GetTaskPlan: ({ digest }) => Boolean(digest),
  DeleteTask: ({ status }) => Number(status) >= 8,
};

const NONE = "00000000-0000-4000-8000-000000000000";
const APPS = ["bash", "bash", "bash", "sh", "sh", "python", "node", "ansible", "terraform", "perl"];

const madeId = (random: Random): string => `made-${random.below(30)}`;

/** Returns one of a few UUIDs, so that some are used again, or a new one. */
function uuid(random: Random): string {
  if (random.chance(0.5)) return NONE.replace(/..$/, String(10 + random.below(20)));
  return NONE.replaceAll(/0/g, () => random.below(16).toString(16));
}

/** Fields of the resource in an update. */
function resourceFields(fields: readonly DescField[]): string[] {
  const resource = fields.find(({ message, name }) => message && name !== "update_mask");
  return resource?.message?.fields.map(({ name }) => name) ?? [];
}

const FIXED_FILTERS = [
  "",
  'template = "demo/ok"',
  "labels.team = 'x'",
  'labels.team = web AND template != "ok"',
];
const FILTERS = [
  ...FIXED_FILTERS,
  "status = RUNNING",
  'status != SUCCESS AND labels.team = "web"',
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
