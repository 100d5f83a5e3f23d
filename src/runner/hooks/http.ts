import { backOff, retry } from "../../async/retry.ts";
import { messageOf } from "../../task/errors.ts";

/** An HTTP call of a hook, with its placeholders and its secret filled in. */
export interface Call {
  url: string;
  method: string;
  headers: Readonly<Record<string, string>>;
  /** Header with a secret value; undefined: none. */
  secret: { name: string; value: string } | undefined;
  /** JSON; undefined: no body. */
  body: string | undefined;
  /** Number of tries after the first. */
  retries: number;
  /** Masks the task's secrets in the text of an answer, before it is shortened. */
  mask(text: string): string;
}

const PAUSES = { firstMs: 200, longestMs: 10_000 };
/** Bytes of an error's answer that are read. */
const MAX_READ_BYTES = 4096;
/** Characters of an error's answer that are shown. */
const MAX_SHOWN = 200;

/**
 * Calls until an answer is a success, with at most `retries` further tries and pauses that double. Resolves to the HTTP
 * status. A redirect counts as a failure and is not followed, so that the secret goes only to the host of the hook's
 * URL.
 * @throws Error that says how the last try failed; the reason of `signal` if it aborts.
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
  // Checked here, since the error of Headers.set would show the secret value.
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
    throw new Error(`the value of its header ${secret?.name} has characters that no header can have`);
  if (secret) all.set(secret.name, value);
  return all;
}

/** Makes one call. Resolves to the HTTP status of a success, or to a text that says how the call failed. */
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
    if (size >= MAX_READ_BYTES) break;
  }
  return Buffer.concat(parts).toString("utf8");
}

/** Returns `: ` and the beginning of an answer in one line; an empty text if the answer is empty. */
function excerptOf(answer: string): string {
  const text = answer.replace(/\s+/g, " ").trim();
  return text && `: ${text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text}`;
}
