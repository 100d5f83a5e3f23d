import { once } from "node:events";
import { createConnection } from "node:net";
import { join } from "node:path";

/** `refused`: no server listens. `busy`: a server accepts no connections now. `silent`: no answer within 5 s. */
export type ProbeResult = "answers" | "refused" | "busy" | "silent";

const PROTOCOL_3 = 196608;
const TIMEOUT_MS = 5_000;

/** Opens a connection up to the server's first message, which precedes the password. */
export async function probe(socketFolder: string, user: string, signal?: AbortSignal): Promise<ProbeResult> {
  const socket = createConnection(join(socketFolder, ".s.PGSQL.5432"));
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const word = once(socket, "data", { signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
    const end = once(socket, "end").then(() => [Buffer.from("E")]);
    end.catch(() => {});
    socket.write(startupMessage(user));
    const [answer] = (await Promise.race([word, end])) as [Buffer];
    return answer[0] === "R".charCodeAt(0) ? "answers" : "busy";
  } catch (error) {
    signal?.throwIfAborted();
    return timeout.aborted ? "silent" : refusal(error as NodeJS.ErrnoException);
  } finally {
    socket.destroy();
  }
}

/**
 * Encodes a StartupMessage (protocol-message-formats): Int32 length, Int32 version, then names and values, each ended
 * by a NUL.
 */
function startupMessage(user: string): Buffer {
  const body = Buffer.from(`user\0${user}\0database\0${user}\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(head.length + body.length, 0);
  head.writeInt32BE(PROTOCOL_3, 4);
  return Buffer.concat([head, body]);
}

function refusal(error: NodeJS.ErrnoException): ProbeResult {
  if (error.code === "EAGAIN") return "busy";
  if (["ENOENT", "ECONNREFUSED", "ECONNRESET", "EPIPE"].includes(error.code ?? "")) return "refused";
  throw error;
}
