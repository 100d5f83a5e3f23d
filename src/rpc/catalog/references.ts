import type { JsonObject } from "@bufbuild/protobuf";
import { protoCamelCase } from "@bufbuild/protobuf/reflect";
import type { AnyKind, Kind } from "../../store/catalog/kinds.ts";

/** Kind of a resource that others refer to. Accounts are in no project. */
export type TargetKind = Kind | "accounts";

const HOOK_KEYS = {
  "hooks[].http.secret_header_key": "accessKeys",
  "hooks[].http.url_key": "accessKeys",
} as const;

/** Fields of each kind that refer to other kinds, by names of the contract. `[]`: each item of a list. */
export const REFERENCES = {
  projects: HOOK_KEYS,
  accessKeys: {},
  repositories: { access_key: "accessKeys" },
  inventories: { "file.repository": "repositories", ssh_key: "accessKeys", become_key: "accessKeys" },
  environments: {},
  templates: {
    repository: "repositories",
    environment: "environments",
    inventory: "inventories",
    build_template: "templates",
    "vaults[].key": "accessKeys",
    ...HOOK_KEYS,
  },
  roleBindings: { account: "accounts", template: "templates" },
} as const satisfies Record<AnyKind, Record<string, TargetKind>>;

/** Field of a catalog that holds the resources of each kind. */
export const CATALOG_FIELDS = {
  accessKeys: "access_keys",
  repositories: "repositories",
  inventories: "inventories",
  environments: "environments",
  templates: "templates",
  roleBindings: "role_bindings",
} as const satisfies Record<Kind, string>;

/** Reference from one resource to another. */
export interface Reference {
  /** Key in REFERENCES. */
  at: string;
  /** Path of the field within the referring resource. */
  path: (string | number)[];
  kind: TargetKind;
  /** Name in that field, full or short. */
  name: string;
  /** Replaces the name in that field. */
  rename(name: string): unknown;
}

/** Returns the references of a resource. `spelled` gives the key of a field in `resource`; the JSON name by default. */
export function referencesOf(
  kind: AnyKind,
  resource: object,
  spelled: (field: string) => string = protoCamelCase,
): Reference[] {
  return Object.entries(REFERENCES[kind]).flatMap(([at, target]: [string, TargetKind]) =>
    [...placesAt(resource as JsonObject, at.split("."), [], spelled)].map((place) => ({
      ...place,
      at,
      kind: target,
    })),
  );
}

function* placesAt(
  holder: JsonObject,
  [step = "", ...rest]: readonly string[],
  path: readonly (string | number)[],
  spelled: (field: string) => string,
): Generator<Pick<Reference, "path" | "name" | "rename">> {
  const field = step.replace("[]", "");
  const key = spelled(field);
  const value = holder[key];
  const items = Array.isArray(value)
    ? value.map((item, index) => [item, [...path, field, index]] as const)
    : [[value, [...path, field]] as const];
  for (const [item, at] of items) {
    if (typeof item === "string" && item !== "") {
      yield { path: [...at], name: item, rename: (name) => Object.assign(holder, { [key]: name }) };
    } else if (typeof item === "object" && item !== null) {
      yield* placesAt(item as JsonObject, rest, at, spelled);
    }
  }
}
