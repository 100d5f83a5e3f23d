import type { JsonObject } from "@bufbuild/protobuf";
import { parseRemote } from "../git/remote-url.ts";
import {
  type AccessKey,
  accessKeyContext,
  type EnvironmentSecrets,
  environmentContext,
  type KeyMaterial,
  taskContext,
} from "../keys/access-key.ts";
import type { Cipher } from "../keys/cipher.ts";
import { isTooShort } from "../logs/secret-patterns.ts";
import type { DetailRows, KeyRow } from "../store/tasks/details.ts";
import { messageOf, PrepareError } from "../task/errors.ts";
import type { TaskRecord } from "../task/types.ts";

/** All decrypted secrets of a task. */
export interface Secrets {
  /** The secret variables of the task itself. */
  variables: Record<string, string>;
  environment: EnvironmentSecrets;
  /** Access keys by their full names. */
  keys: ReadonlyMap<string, AccessKey>;
}

/**
 * Decrypts all secrets of a task.
 * @throws PrepareError that names the resource whose secrets cannot be decrypted, and says what to do if they were
 * encrypted with another key.
 */
export function openSecrets(
  cipher: Pick<Cipher, "open">,
  task: Pick<TaskRecord, "project" | "template" | "secrets">,
  rows: Pick<DetailRows, "template" | "environmentSecrets" | "keys"> | null,
): Secrets {
  const { project } = task;
  const open = <T>(sealed: Buffer | null, context: string, owner: string, none: T): T => {
    if (!sealed) return none;
    try {
      return JSON.parse(cipher.open(sealed, context)) as T;
    } catch (cause) {
      throw new PrepareError(`Cannot open the secrets of ${owner}: ${messageOf(cause)}`, { cause });
    }
  };
  const environment = String(rows?.template.environment ?? "");
  const name = environment.split("/").at(-1) ?? "";
  const keys = Object.entries(rows?.keys ?? {}).map(([key, row]): AccessKey => {
    const name = `projects/${project}/accessKeys/${key}`;
    const sealed = row.secrets === null ? null : Buffer.from(row.secrets, "base64");
    return { name, ...materialOf(row, open<JsonObject>(sealed, accessKeyContext(project, key), name, {})) };
  });
  return {
    variables: open(task.secrets, taskContext(task.project, task.template), "the task", {}),
    environment: open(rows?.environmentSecrets ?? null, environmentContext(project, name), environment, {
      variables: {},
      env: {},
    }),
    keys: new Map(keys.map((key) => [key.name, key])),
  };
}

/** Joins the stored fields of an access key with its decrypted secrets. */
function materialOf({ spec }: KeyRow, secrets: JsonObject): KeyMaterial {
  const text = (from: unknown, field: string) => String((from as JsonObject)[field] ?? "");
  if (spec.ssh) {
    const [privateKey, passphrase] = [text(secrets, "privateKey"), text(secrets, "passphrase")];
    return { kind: "ssh", login: text(spec.ssh, "login"), privateKey, passphrase };
  }
  if (spec.loginPassword) {
    const login = text(spec.loginPassword, "login");
    return { kind: "login_password", login, password: text(secrets, "password") };
  }
  return spec.text ? { kind: "text", value: text(secrets, "value") } : { kind: "none" };
}

/** Returns all values that must be masked. */
export function secretValues(secrets: Secrets): string[] {
  return named(secrets).map(({ value }) => value);
}

/** Returns the user names in HTTP URLs of repositories, which earlier releases stored and which may be tokens. */
export function usersInUrls(rows: Pick<DetailRows, "repository" | "inventoryRepository"> | null): string[] {
  return [rows?.repository?.url, rows?.inventoryRepository?.url].flatMap((url) => {
    const remote = parseRemote(String(url ?? ""));
    return remote && remote.scheme !== "ssh" && remote.user !== "" ? [remote.user] : [];
  });
}

/** Returns the names of secrets that are too short to be masked. */
export function shortSecrets(secrets: Secrets): string[] {
  return [...new Set(named(secrets).flatMap(({ name, value }) => (isTooShort(value) ? [name] : [])))];
}

function named({ variables, environment, keys }: Secrets): { name: string; value: string }[] {
  const ofKeys = [...keys.values()].flatMap((key) =>
    valuesOf(key).map((value) => ({ name: key.name, value })),
  );
  const open = [variables, environment.variables, environment.env].flatMap((values) =>
    Object.entries(values).map(([name, value]) => ({ name, value })),
  );
  return [...open, ...ofKeys].filter(({ value }) => value !== "");
}

function valuesOf(key: AccessKey): string[] {
  if (key.kind === "ssh") return [key.privateKey, key.passphrase];
  if (key.kind === "login_password") return [key.password];
  return key.kind === "text" ? [key.value] : [];
}
