import type { JsonObject } from "@bufbuild/protobuf";
import { accessKeyContext, environmentContext } from "../../keys/access-key.ts";
import type { AnyKind } from "../../store/catalog/kinds.ts";
import { contractName, SCHEMAS } from "./schemas.ts";

/** Secret text: field `field` of the message `of`, stored as `field`. */
export interface SecretText {
  of: string;
  field: string;
  /** Optional secret that belongs to this one, and is removed when this one is given anew. */
  with?: string;
}

/** Map of secret texts, stored as `as`. The field `names` shows the names in it. */
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

/** Secret fields of each kind, by JSON names. keys/access-key.ts defines the encrypted form. */
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

/** Returns a spec with empty values for its secrets, which keeps all of them when it is written back. */
export function withEmptySecrets(kind: AnyKind, spec: JsonObject): JsonObject {
  const empty = (SECRET_FIELDS[kind]?.maps ?? []).map(({ field, names }) => [
    field,
    Object.fromEntries(((spec[names] ?? []) as string[]).map((name) => [name, ""])),
  ]);
  const shown = Object.entries(spec).filter(([field]) => !showsNames(kind, field));
  return Object.fromEntries([...shown, ...empty]);
}

/** Returns the paths of the secrets of a spec. A passphrase is not listed apart from its key. */
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

/** True for output-only fields that show the names of secrets. */
export function showsNames(kind: AnyKind, field: string): boolean {
  return SECRET_FIELDS[kind]?.maps.some(({ names }) => names === field) ?? false;
}

/** Returns the path of a secret text, such as `ssh.private_key`. */
export function textPath(kind: AnyKind, { of, field }: SecretText): string {
  const holder = SCHEMAS[kind].fields.find(({ jsonName }) => jsonName === of);
  return `${holder?.name}.${holder?.message?.fields.find(({ jsonName }) => jsonName === field)?.name}`;
}

/** Returns the path of an entry, such as `secret_env["TOKEN"]`. */
export const entryPath = (kind: AnyKind, field: string, name: string): string =>
  `${contractName(kind, field)}[${JSON.stringify(name)}]`;
