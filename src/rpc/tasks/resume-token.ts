import { invalid } from "../../task/errors.ts";

/** Position of a watcher: it has received all lines up to `seq` and all events up to `ordinal`. */
export interface Cursor {
  seq: number;
  ordinal: number;
}

const VERSION = 1;
const BYTES = 1 + 16 + 8 + 4;
/** Largest `integer` of PostgreSQL. */
const LAST_ORDINAL = 2 ** 31 - 1;

/** Returns a token of the task and its cursor. It holds nothing of the server, so it works on any of them. */
export function encodeToken(taskId: string, { seq, ordinal }: Cursor): string {
  const bytes = Buffer.allocUnsafe(BYTES);
  bytes[0] = VERSION;
  bytes.write(taskId.replaceAll("-", ""), 1, "hex");
  bytes.writeBigUInt64BE(BigInt(seq), 17);
  bytes.writeUInt32BE(ordinal, 25);
  return bytes.toString("base64url");
}

/** Returns the cursor in a resume token. @throws Failure invalid if it is not a token of WatchTask, or is one of another task. */
export function decodeToken(taskId: string, token: string): Cursor {
  const bytes = Buffer.from(token, "base64url");
  if (bytes.length !== BYTES || bytes[0] !== VERSION) throw refuse("is not a token of WatchTask");
  if (bytes.toString("hex", 1, 17) !== taskId.replaceAll("-", "")) throw refuse("belongs to another task");
  const cursor = { seq: Number(bytes.readBigUInt64BE(17)), ordinal: bytes.readUInt32BE(25) };
  const isSane = cursor.seq <= Number.MAX_SAFE_INTEGER && cursor.ordinal <= LAST_ORDINAL;
  // Node ignores invalid characters of base64, so a token is accepted only if encoding gives the same text.
  if (!isSane || encodeToken(taskId, cursor) !== token) throw refuse("is not a token of WatchTask");
  return cursor;
}

function refuse(description: string) {
  return invalid([{ field: "resume_token", description }]);
}
