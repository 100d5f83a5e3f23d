import type { IncomingMessage } from "node:http";
import { backOff, retry } from "../../async/retry.ts";
import { messageOf } from "../../task/errors.ts";
import type { CallPolicy } from "./call-policy.ts";
import { CallRefusedError, type HttpRequest, send } from "./request.ts";

/** An HTTP call of a hook, with its placeholders and its secrets filled in. */
export interface Call {
  url: URL;
  /** Name of an access key that holds the URL, which messages then name in place of the host; undefined: it is not secret. */
  urlKey: string | undefined;
  method: string;
  headers: Readonly<Record<string, string>>;
  /** Header with a secret value; undefined: none. */
  secret: { name: string; value: string } | undefined;
  /** JSON; undefined: no body. */
  body: string | undefined;
  /** Number of tries after the first. */
  retries: number;
  /** Whether messages show the beginning of the response's body. */
  logResponse: boolean;
  /** Masks the task's secrets in the text of a response, before it is shortened. */
  mask(text: string): string;
}

const PAUSES = { firstMs: 200, longestMs: 10_000 };
/** Bytes of a response's body that are read. */
const MAX_READ_BYTES = 16 * 1024;
/** Characters of a response's body that are shown. */
const MAX_SHOWN = 1000;
/** Headers of the connection and of the framing of the body, which the server sets itself. */
const OWN_HEADERS = [
  ..."connection content-length expect keep-alive proxy-connection te trailer transfer-encoding upgrade".split(
    " ",
  ),
];

/**
 * Calls until a response is a success, with at most `retries` further tries and pauses that double. Resolves to a
 * sentence about the response. A redirect counts as a failure and is not followed, so that the secrets go only to the
 * host of the hook's URL. An address that hooks may not call is not tried again.
 * @throws Error that says how the last try failed; the reason of `signal` if it aborts.
 */
export async function callHttp(call: Call, mayCall: CallPolicy, signal: AbortSignal): Promise<string> {
  const request = { url: call.url, method: call.method, headers: headersOf(call), body: call.body };
  let tries = 0;
  return retry(
    async () => {
      tries++;
      const { isSuccess, text } = await attempt(call, request, mayCall, signal);
      if (isSuccess) return text;
      throw new Error(tries > 1 ? `${text}, after ${tries} tries` : text);
    },
    { pausesMs: backOff(PAUSES, call.retries), signal, mayPass: (error) => !isRefusal(error) },
  );
}

const isRefusal = (error: unknown) => error instanceof Error && error.cause instanceof CallRefusedError;

function headersOf({ headers, secret, body }: Call): Headers {
  const all = new Headers({ accept: "*/*", "user-agent": "signalman" });
  if (body !== undefined) all.set("content-type", "application/json");
  for (const [name, value] of Object.entries(headers)) all.set(name, value);
  const value = secret?.value.trim() ?? "";
  // Checked here, since the error of Headers.set would show the secret value.
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
    throw new Error(`the value of its header ${secret?.name} has characters that no header can have`);
  if (secret) all.set(secret.name, value);
  const own = OWN_HEADERS.find((name) => all.has(name));
  if (own) throw new Error(`its header ${own} must be left out: the server sets it`);
  if (body !== undefined) all.set("content-length", String(Buffer.byteLength(body)));
  return all;
}

/** Makes one call, and tells how it went. @throws Error caused by CallRefusedError if hooks may not call the host. */
async function attempt(
  call: Call,
  request: HttpRequest,
  mayCall: CallPolicy,
  signal: AbortSignal,
): Promise<{ isSuccess: boolean; text: string }> {
  const name = call.urlKey ?? call.url.host;
  const began = performance.now();
  try {
    const response = await send(request, mayCall, signal);
    const ms = Math.round(performance.now() - began);
    const { statusCode: status = 0 } = response;
    const body = call.logResponse ? excerptOf(call.mask(await beginningOf(response))) : "";
    response.destroy();
    signal.throwIfAborted();
    return {
      isSuccess: status >= 200 && status < 300,
      text: `${name} answered ${status} in ${ms} ms${body}`,
    };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CallRefusedError) throw new Error(refusalOf(call, error), { cause: error });
    return {
      isSuccess: false,
      text: `${name} did not answer: ${call.urlKey ? codeOf(error) : messageOf(error)}`,
    };
  }
}

/** Says which address hooks may not call, and why. The address of a secret URL is not named. */
function refusalOf({ url, urlKey }: Call, { address, why }: CallRefusedError): string {
  const called = urlKey ? `the host of ${urlKey}` : url.host;
  const its =
    urlKey || url.hostname === address || url.hostname === `[${address}]`
      ? "its address"
      : `its address ${address}`;
  return `${called} must not be called: ${its} ${why}; the operator's setting --hook-networks decides what hooks may call`;
}

/** Returns the part of an error that may be shown for a secret URL, since Node's messages name the host. */
const codeOf = (error: unknown) => String((error as { code?: unknown }).code ?? "the connection failed");

/** Resolves to the beginning of a body, also of one that breaks off. */
async function beginningOf(body: IncomingMessage): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of body as AsyncIterable<Uint8Array>) {
      parts.push(part);
      size += part.length;
      if (size >= MAX_READ_BYTES) break;
    }
  } catch {
    // The status has arrived and decides; the caller looks at its signal.
  }
  return Buffer.concat(parts).toString("utf8");
}

/** Returns `: ` and the beginning of a body in one line; an empty text if the body is empty. */
function excerptOf(body: string): string {
  const text = body.replace(/\s+/g, " ").trim();
  return text && `: ${text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text}`;
}
