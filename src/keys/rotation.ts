import { readSealed, replaceSealed, type Sealed, type SealedKind } from "../store/catalog/secrets.ts";
import type { Database } from "../store/postgres/database.ts";
import { messageOf } from "../task/errors.ts";
import { accessKeyContext, environmentContext, taskContext } from "./access-key.ts";
import type { Cipher } from "./cipher.ts";

export interface Rotated {
  /** Number of secrets of each kind that were encrypted again. */
  sealed: Record<SealedKind, number>;
  /** Secrets that could not be decrypted: full name and reason. */
  failed: string[];
}

const CONTEXTS: Record<SealedKind, (of: Sealed) => string> = {
  accessKeys: ({ project, name }) => accessKeyContext(project, name),
  environments: ({ project, name }) => environmentContext(project, name),
  tasks: ({ project, template = "" }) => taskContext(project, template),
};

export const SEALED_KINDS = Object.keys(CONTEXTS) as SealedKind[];

/** Returns the context that a secret is bound to. */
export const contextOf = (kind: SealedKind, one: Sealed): string => CONTEXTS[kind](one);

/**
 * Encrypts all secrets under the first key that are encrypted under another one. Servers may run meanwhile if they have
 * both keys in this order: a secret that one of them changes meanwhile is then already encrypted under the first key.
 */
export async function rotateSecrets(database: Database, cipher: Cipher): Promise<Rotated> {
  const rotated: Rotated = { sealed: { accessKeys: 0, environments: 0, tasks: 0 }, failed: [] };
  for (const kind of SEALED_KINDS) {
    for await (const page of readSealed(database, kind)) {
      for (const one of page) {
        if (cipher.isCurrent(one.secrets)) continue;
        const outcome = await sealAnew(database, cipher, kind, one);
        if (outcome === "sealed") rotated.sealed[kind]++;
        else if (outcome !== "changed") rotated.failed.push(outcome);
      }
    }
  }
  return rotated;
}

async function sealAnew(database: Database, cipher: Cipher, kind: SealedKind, one: Sealed): Promise<string> {
  const context = contextOf(kind, one);
  let text: string;
  try {
    text = cipher.open(one.secrets, context);
  } catch (error) {
    return `projects/${one.project}/${kind}/${one.name}: ${messageOf(error)}`;
  }
  return (await replaceSealed(database, kind, one, cipher.seal(text, context))) ? "sealed" : "changed";
}
