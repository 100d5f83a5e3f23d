import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { readRegular } from "../files/regular-file.ts";
import { writeFileDurably } from "./durable-file.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Returns the id of the node that lives in a folder: made on first use, the same from then on. The caller holds the
 * folder's lock.
 */
export async function nodeIdOf(folder: string): Promise<string> {
  const path = join(folder, "node.id");
  const text = readRegular(path, { maxBytes: 4096 })?.toString("utf8");
  if (text === undefined) return makeNodeId(path);
  const id = text.trim();
  if (UUID.test(id)) return id;
  throw new Error(
    `Cannot use ${path}: it holds ${JSON.stringify(text.slice(0, 60))}, not a UUID. Put the right id back, or remove the file to become a new node.`,
  );
}

async function makeNodeId(path: string): Promise<string> {
  const id = randomUUID();
  await writeFileDurably(path, `${id}\n`);
  return id;
}
