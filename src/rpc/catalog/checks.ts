import { fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { TemplateSchema } from "../../../gen/signalman/v1/template_pb.ts";
import { FAMILIES, familyNameOf, familyOf } from "../../jobs/families/all.ts";
import type { ProjectState } from "../../store/catalog/catalog.ts";
import { type AnyKind, KINDS, type ResourceRef } from "../../store/catalog/kinds.ts";
import { outdatedNames } from "../../submission/outdated-names.ts";
import type { FieldViolation } from "../../task/errors.ts";
import { fullName, lastPart } from "../names.ts";
import { pathText } from "../rules/path.ts";
import { type REFERENCES, type Reference, referencesOf } from "./references.ts";
import { SCHEMAS } from "./schemas.ts";

/** Resource that a request writes, with its path in the request, such as `catalog.templates[2]`. */
export interface Touched {
  kind: AnyKind;
  name: string;
  path: string;
}

/** Tells whether errors may name a resource to the caller. */
export type Visibility = (ref: ResourceRef) => boolean;

/** Checks the target of a reference. Returns the broken rule in words; undefined: the target is valid. */
type Demand = (target: JsonObject, from: JsonObject) => string | undefined;

const KEY_TYPES = { ssh: "ssh", loginPassword: "login_password", text: "text" };
type KeyType = keyof typeof KEY_TYPES;

const keyOf =
  (...types: KeyType[]): Demand =>
  (key) =>
    types.some((type) => key[type] !== undefined)
      ? undefined
      : `must be of type ${types.map((type) => KEY_TYPES[type]).join(" or ")}`;

/** Types that `build_template` may have: a deploy can pass on the version of another deploy. */
const DEPLOYABLE_TYPES: JsonValue[] = ["TEMPLATE_TYPE_BUILD", "TEMPLATE_TYPE_DEPLOY"];

const HOOK_KEYS = {
  "hooks[].http.secret_header_key": keyOf("text"),
  "hooks[].http.url_key": keyOf("text"),
};

const DEMANDS: { [K in AnyKind]?: Partial<Record<keyof (typeof REFERENCES)[K], Demand>> } = {
  projects: HOOK_KEYS,
  repositories: { access_key: (key, { url }) => keyToFetch(String(url))(key, {}) },
  inventories: { ssh_key: keyOf("ssh", "loginPassword"), become_key: keyOf("loginPassword") },
  templates: {
    inventory: inventoryFor,
    build_template: ({ type }) =>
      DEPLOYABLE_TYPES.includes(type ?? null)
        ? undefined
        : `must be of type ${DEPLOYABLE_TYPES.join(" or ")}`,
    "vaults[].key": keyOf("loginPassword", "text"),
    ...HOOK_KEYS,
  },
};

function keyToFetch(url: string): Demand {
  if (/^https?:/i.test(url)) return keyOf("loginPassword", "text");
  const isFolder = url.startsWith("/") || /^file:/i.test(url);
  return isFolder ? () => undefined : keyOf("ssh");
}

function inventoryFor(inventory: JsonObject, { app }: JsonObject): string | undefined {
  return familyOf(String(app)).checkInventory?.(inventory, String(app));
}

/** Returns the violations that the written resources would cause in the project. `after`: all specs after the write, by kind and name. */
export function checkProject(
  project: string,
  { wholes }: Pick<ProjectState, "wholes">,
  after: ProjectState["outlines"],
  touched: readonly Touched[],
  isVisible: Visibility = () => true,
): FieldViolation[] {
  const pathOf = new Map(touched.map(({ kind, name, path }) => [`${kind}/${name}`, path]));
  const own = touched.flatMap(({ kind, name, path }) => {
    const stored = wholes[kind].get(name)?.spec;
    return checkOne(project, after, { kind, name, path, spec: after[kind].get(name) ?? {}, stored });
  });
  const others = (["projects", ...KINDS] as const).flatMap((kind) =>
    [...after[kind]]
      .filter(([name]) => !pathOf.has(`${kind}/${name}`))
      .flatMap(([name, spec]) =>
        checkUser(project, after, pathOf, { kind, name, spec, isVisible: isVisible({ kind, name }) }),
      ),
  );
  return [...own, ...others];
}

function checkOne(
  project: string,
  after: ProjectState["outlines"],
  { kind, name, path, spec, stored }: Touched & { spec: JsonObject; stored: JsonObject | undefined },
): FieldViolation[] {
  const references = referencesOf(kind, spec).flatMap((reference) => {
    const description = problemWith(project, after, reference, kind, spec);
    return description ? [{ field: pathText(SCHEMAS[kind], reference.path), description }] : [];
  });
  const settings =
    kind === "templates"
      ? [...settingsProblems(spec), ...newlyOutdated(spec, stored), ...cycleOf(after, name)]
      : [];
  return [...references, ...settings].map((v) => ({ ...v, field: `${path}.${v.field}` }));
}

/** Checks a resource that is not written, whose references may become invalid by the change of their target. */
function checkUser(
  project: string,
  after: ProjectState["outlines"],
  pathOf: ReadonlyMap<string, string>,
  { kind, name, spec, isVisible }: ResourceRef & { spec: JsonObject; isVisible: boolean },
): FieldViolation[] {
  return referencesOf(kind, spec).flatMap((reference) => {
    const field = pathOf.get(`${reference.kind}/${lastPart(reference.name)}`);
    const trouble = field === undefined ? undefined : problemWith(project, after, reference, kind, spec);
    if (field === undefined || trouble === undefined) return [];
    const path = pathText(SCHEMAS[kind], reference.path);
    const user = isVisible ? `${fullName(kind, project, name)} (${path})` : "another resource";
    return [{ field, description: `${trouble}, as ${user} uses it` }];
  });
}

function problemWith(
  project: string,
  after: ProjectState["outlines"],
  { at, kind, name }: Reference,
  userKind: AnyKind,
  user: JsonObject,
): string | undefined {
  const last = lastPart(name);
  if (kind !== "accounts" && name !== fullName(kind, project, last))
    return `must be in projects/${project}; got ${name}`;
  const target = after[kind].get(last);
  if (!target) return `there is no ${name}`;
  const demands = DEMANDS[userKind] as Record<string, Demand> | undefined;
  const demand = demands?.[at]?.(target, user);
  return demand && `${name} ${demand}`;
}

function settingsProblems(spec: JsonObject): FieldViolation[] {
  const app = String(spec.app);
  const foreign = Object.keys(FAMILIES).filter(
    (name) => spec[name] !== undefined && name !== familyNameOf(app),
  );
  const wrong = foreign.map((field) => ({ field, description: `Not for app ${JSON.stringify(app)}` }));
  return [...wrong, ...unconfirmed(spec), ...(familyOf(app).checkTemplate?.(spec) ?? [])];
}

/** Refuses a template whose plans another caller has to confirm, and need no confirmation. */
function unconfirmed({ confirmByOther, terraform }: JsonObject): FieldViolation[] {
  const settings = terraform as { autoApprove?: boolean; allowAutoApprove?: boolean } | undefined;
  return confirmByOther === true && (settings?.autoApprove || settings?.allowAutoApprove)
    ? [{ field: "confirm_by_other", description: "not together with auto_approve and allow_auto_approve" }]
    : [];
}

/** Returns the names that a template cannot have, but for those that the stored template has already. */
function newlyOutdated(spec: JsonObject, stored: JsonObject | undefined): FieldViolation[] {
  const namesOf = (json: JsonObject) => {
    const template = fromJson(TemplateSchema, json);
    return outdatedNames(template, template.variables);
  };
  const kept = new Set(stored && namesOf(stored).map(({ name }) => name));
  return namesOf(spec).filter(({ name }) => !kept.has(name));
}

/** Refuses a cycle of `build_template` references: with `autorun` its deploys would start each other for ever. */
function cycleOf({ templates }: ProjectState["outlines"], name: string): FieldViolation[] {
  const builder = (of: string) => lastPart(String(templates.get(of)?.buildTemplate ?? ""));
  const passed = new Set<string>();
  for (let at = builder(name); at !== "" && !passed.has(at); at = builder(at)) {
    if (at === name)
      return [
        { field: "build_template", description: "must not form a cycle; it leads back to this template" },
      ];
    passed.add(at);
  }
  return [];
}
