import type { JsonObject } from "@bufbuild/protobuf";
import type { Cipher } from "../../keys/cipher.ts";
import type { AnyKind, WholeResource } from "../../store/catalog/kinds.ts";
import { Failure, type FieldViolation } from "../../task/errors.ts";
import { entryPath, SECRET_FIELDS, type SecretFields, secretsOf, textPath } from "./secret-fields.ts";

/** Resource in the form in which it is stored. */
export interface Settled {
  spec: JsonObject;
  secrets: Buffer | null;
  /** Paths of changed secrets within the resource, such as `ssh.private_key` and `secret_env["TOKEN"]`. */
  changed: string[];
  /** Violations for empty secrets without a stored value, by path within the resource. */
  missing: FieldViolation[];
}

/**
 * Separates a resource into its spec and its encrypted secrets. An empty secret keeps the stored value.
 * @throws Failure precondition if a stored secret must be kept that this server cannot decrypt.
 */
export function settle(
  cipher: Pick<Cipher, "seal" | "open">,
  ref: { kind: AnyKind; project: string; name: string },
  given: JsonObject,
  stored: Pick<WholeResource, "spec" | "secrets"> | undefined,
): Settled {
  const fields = SECRET_FIELDS[ref.kind];
  if (!fields) return { spec: given, secrets: null, changed: [], missing: [] };
  const context = fields.context(ref.project, ref.name);
  const before = open(cipher, stored?.secrets, context);
  const known = before instanceof Error ? {} : before;
  const { spec, secrets } = takeOut(fields, given);
  fill(fields, secrets, known);
  const missing = missingIn(ref.kind, fields, secrets);
  if (missing.length > 0 && before instanceof Error) {
    throw new Failure("precondition", before.message, { reason: "SECRETS_UNREADABLE", cause: before });
  }
  const lost = before instanceof Error && stored ? secretsOf(ref.kind, stored.spec) : [];
  const changed = [...new Set([...lost, ...changedIn(ref.kind, fields, secrets, known)])];
  const keepsAll = stored && changed.length === 0;
  const sealed = keepsAll
    ? stored.secrets
    : isEmpty(secrets)
      ? null
      : cipher.seal(JSON.stringify(secrets), context);
  return { spec, secrets: sealed, changed, missing };
}

type Secrets = Record<string, string | Record<string, string>>;

function open(
  cipher: Pick<Cipher, "open">,
  sealed: Buffer | null | undefined,
  context: string,
): Secrets | Error {
  if (!sealed) return {};
  try {
    return JSON.parse(cipher.open(sealed, context)) as Secrets;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function takeOut({ texts, maps }: SecretFields, given: JsonObject): { spec: JsonObject; secrets: Secrets } {
  const spec = structuredClone(given);
  const secrets: Secrets = {};
  for (const { of, field } of texts) {
    const holder = spec[of] as Record<string, string> | undefined;
    if (!holder) continue;
    secrets[field] = holder[field] ?? "";
    delete holder[field];
  }
  for (const { field, as, names } of maps) {
    const values = (spec[field] ?? {}) as Record<string, string>;
    secrets[as] = { ...values };
    delete spec[field];
    delete spec[names];
    if (Object.keys(values).length > 0) spec[names] = Object.keys(values).sort();
  }
  return { spec, secrets };
}

/** Replaces empty secrets by the stored ones. */
function fill({ texts, maps }: SecretFields, secrets: Secrets, known: Secrets): void {
  const fresh = new Set(Object.keys(secrets).filter((key) => secrets[key] !== ""));
  for (const { field, with: main = "" } of texts) {
    if (secrets[field] === "" && !fresh.has(main)) secrets[field] = known[field] ?? "";
  }
  for (const { as } of maps) {
    const [values, old] = [secrets[as], known[as] ?? {}] as Record<string, string>[];
    for (const name of Object.keys(values ?? {})) {
      if (values?.[name] === "" && old && Object.hasOwn(old, name)) values[name] = old[name] ?? "";
    }
  }
}

function missingIn(kind: AnyKind, fields: SecretFields, secrets: Secrets): FieldViolation[] {
  const { texts, maps } = fields;
  const paths = [
    ...texts
      .filter((one) => secrets[one.field] === "" && one.with === undefined)
      .map((one) => textPath(kind, one)),
    ...maps.flatMap(({ field, as }) =>
      Object.entries(secrets[as] ?? {})
        .filter(([, value]) => value === "")
        .map(([name]) => entryPath(kind, field, name)),
    ),
  ];
  return paths.map((field) => ({
    field,
    description: "must not be empty, since no value is stored under this name",
  }));
}

function changedIn(kind: AnyKind, { texts, maps }: SecretFields, secrets: Secrets, known: Secrets): string[] {
  const entries = (of: Secrets, as: string) => new Map(Object.entries(of[as] ?? {}));
  return [
    ...texts
      .filter(({ field }) => (secrets[field] ?? "") !== (known[field] ?? ""))
      .map((one) => textPath(kind, one)),
    ...maps.flatMap(({ field, as }) => {
      const [now, then] = [entries(secrets, as), entries(known, as)];
      const names = [...new Set([...then.keys(), ...now.keys()])].filter(
        (name) => now.get(name) !== then.get(name),
      );
      return names.sort().map((name) => entryPath(kind, field, name));
    }),
  ];
}

function isEmpty(secrets: Secrets): boolean {
  return Object.values(secrets).every((value) => Object.keys(value).length === 0);
}
