import { backOff, retry } from "../../async/retry.ts";
import { messageOf } from "../../task/errors.ts";

/** A call with everything filled in. */
export interface Call {
  url: string;
  method: string;
  headers: Readonly<Record<string, string>>;
  /** Header with a secret value. */
  secret: { name: string; value: string } | undefined;
  /** JSON; undefined: no body. */
  body: string | undefined;
  /** Tries after the first. */
  retries: number;
  /** Hides what nobody may see in words of an answer, before they are cut. */
  mask(text: string): string;
}

const PAUSES = { firstMs: 200, longestMs: 10_000 };
/** Bytes of an answer that are read at most, and characters of it that are shown. */
const READ = 4096;
const SHOWN = 200;

/**
 * Calls until an answer is a success, at most `retries` times again, after pauses that double. Resolves to the status.
 * Redirects are answers like others: whoever gets the secret is named in the hook.
 * @throws Error with the last trouble in words; the signal's reason.
 */
export async function callHttp(call: Call, signal: AbortSignal): Promise<number> {
  const headers = headersOf(call);
  let tries = 0;
  return retry(
    async () => {
      tries++;
      const trouble = await attempt({ ...call, headers }, signal);
      if (typeof trouble === "number") return trouble;
      throw new Error(tries > 1 ? `${trouble}, after ${tries} tries` : trouble);
    },
    { pausesMs: backOff(PAUSES, call.retries), signal },
  );
}

function headersOf({ headers, secret, body }: Call): Headers {
  const all = new Headers(body === undefined ? {} : { "content-type": "application/json" });
  for (const [name, value] of Object.entries(headers)) all.set(name, value);
  const value = secret?.value.trim() ?? "";
  // Checked here, since the error of `set` shows the value.
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
    throw new Error(`the value of its header ${secret?.name} has characters that no header can have`);
  if (secret) all.set(secret.name, value);
  return all;
}

/** The status of a success, or what went wrong. */
async function attempt(
  { url, method, headers, body, mask }: Omit<Call, "headers"> & { headers: Headers },
  signal: AbortSignal,
): Promise<number | string> {
  const { host } = new URL(url);
  try {
    const response = await fetch(url, { method, headers, body, signal, redirect: "manual" });
    if (response.ok) await response.body?.cancel();
    return response.ok
      ? response.status
      : `${host} answered ${response.status}${excerptOf(mask(await beginningOf(response, signal)))}`;
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return `${host} did not answer: ${messageOf(cause)}`;
  }
}

async function beginningOf({ body }: Response, signal: AbortSignal): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body ?? []) {
    signal.throwIfAborted();
    parts.push(part);
    size += part.length;
    if (size >= READ) break;
  }
  return Buffer.concat(parts).toString("utf8");
}

/** In one line. */
function excerptOf(answer: string): string {
  const text = answer.replace(/\s+/g, " ").trim();
  return text && `: ${text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text}`;
}
