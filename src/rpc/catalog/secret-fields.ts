import type { JsonObject } from "@bufbuild/protobuf";
import { accessKeyContext, environmentContext } from "../../keys/access-key.ts";
import type { AnyKind } from "../../store/catalog/kinds.ts";
import { contractName, SCHEMAS } from "./schemas.ts";

/** A secret text of a kind: field `field` of its message `of`, stored as `field`. */
export interface SecretText {
  of: string;
  field: string;
  /** May be empty, and goes when this one is given anew. */
  with?: string;
}

/** A map of secret texts, stored as `as`; the names in it are shown in the field `names`. */
interface SecretMap {
  field: string;
  as: string;
  names: string;
}

export interface SecretFields {
  texts: readonly SecretText[];
  maps: readonly SecretMap[];
  context(project: string, name: string): string;
}

/** What nobody may see of each kind, by names in JSON. keys/material.ts has the shapes that are encrypted. */
export const SECRET_FIELDS: Partial<Record<AnyKind, SecretFields>> = {
  accessKeys: {
    texts: [
      { of: "ssh", field: "privateKey" },
      { of: "ssh", field: "passphrase", with: "privateKey" },
      { of: "loginPassword", field: "password" },
      { of: "text", field: "value" },
    ],
    maps: [],
    context: accessKeyContext,
  },
  environments: {
    texts: [],
    maps: [
      { field: "secretVariables", as: "variables", names: "secretVariableNames" },
      { field: "secretEnv", as: "env", names: "secretEnvNames" },
    ],
    context: environmentContext,
  },
};

/** A spec as a caller writes it who keeps all secrets: where there are names only, they get empty values. */
export function withEmptySecrets(kind: AnyKind, spec: JsonObject): JsonObject {
  const empty = (SECRET_FIELDS[kind]?.maps ?? []).map(({ field, names }) => [
    field,
    Object.fromEntries(((spec[names] ?? []) as string[]).map((name) => [name, ""])),
  ]);
  const shown = Object.entries(spec).filter(([field]) => !showsNames(kind, field));
  return Object.fromEntries([...shown, ...empty]);
}

/** The secrets that a spec stands for, by their paths. (A passphrase goes with its key.) */
export function secretsOf(kind: AnyKind, spec: JsonObject): string[] {
  const { texts = [], maps = [] } = SECRET_FIELDS[kind] ?? {};
  return [
    ...texts
      .filter((one) => spec[one.of] !== undefined && one.with === undefined)
      .map((one) => textPath(kind, one)),
    ...maps.flatMap(({ field, names }) =>
      ((spec[names] ?? []) as string[]).map((name) => entryPath(kind, field, name)),
    ),
  ];
}

/** Whether a field only shows the names of secrets: it goes with them. */
export function showsNames(kind: AnyKind, field: string): boolean {
  return SECRET_FIELDS[kind]?.maps.some(({ names }) => names === field) ?? false;
}

/** `ssh.private_key` */
export function textPath(kind: AnyKind, { of, field }: SecretText): string {
  const holder = SCHEMAS[kind].fields.find(({ jsonName }) => jsonName === of);
  return `${holder?.name}.${holder?.message?.fields.find(({ jsonName }) => jsonName === field)?.name}`;
}

/** `secret_env["TOKEN"]` */
export const entryPath = (kind: AnyKind, field: string, name: string): string =>
  `${contractName(kind, field)}[${JSON.stringify(name)}]`;
