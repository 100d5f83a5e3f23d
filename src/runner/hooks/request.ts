import { lookup } from "node:dns/promises";
import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import type { CallPolicy } from "./call-policy.ts";

export interface HttpRequest {
  url: URL;
  method: string;
  headers: Headers;
  /** Undefined: no body. */
  body: string | undefined;
}

/** Thrown if hooks may not call a host. `address` is the first of its addresses; `why` ends a sentence about it. */
export class CallRefusedError extends Error {
  readonly address: string;
  readonly why: string;

  constructor(address: string, why: string) {
    super(`${address} ${why}`);
    this.name = "CallRefusedError";
    this.address = address;
    this.why = why;
  }
}

/**
 * Sends a request and resolves to the response when its headers have arrived. The body is then read or destroyed by the
 * receiver. The host is resolved once and the connection goes only to addresses that the policy has permitted, so that a
 * name that resolves to another address a moment later makes no difference. Redirects are not followed. Proxies are not
 * used, since they would resolve the name themselves.
 * @throws CallRefusedError if no address of the host is permitted; the signal's reason if it aborts.
 */
export async function send(
  request: HttpRequest,
  mayCall: CallPolicy,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { url, method, headers, body } = request;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  const addresses = await unlessAborted(permitted(host, port, mayCall), signal);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { request: open } = url.protocol === "https:" ? https : http;
  const sent = open(url, {
    method,
    headers: Object.fromEntries(headers),
    // A new agent: no connection is shared, and the proxies of NODE_USE_ENV_PROXY are not used.
    agent: false,
    lookup: (_host, { all }, callback) =>
      all ? callback(null, addresses) : callback(null, addresses[0]?.address ?? "", addresses[0]?.family),
    signal,
  });
  sent.on("response", resolve).on("error", (error) => reject(signal.aborted ? signal.reason : error));
  // Node closes the connection of an upgrade (status 101) that has no listener, without an error.
  sent.on("close", () => reject(new Error("the connection was closed without a response")));
  sent.end(body);
  return promise;
}

/** Resolves to the addresses of a host that hooks may call. @throws CallRefusedError if there are none. */
async function permitted(host: string, port: number, mayCall: CallPolicy) {
  const found = await lookup(host, { all: true });
  const verdicts = await Promise.all(
    found.map(async (one) => ({ ...one, why: await mayCall(one.address, port) })),
  );
  const addresses = verdicts.filter(({ why }) => why === undefined);
  const [first] = verdicts;
  if (addresses.length === 0)
    throw new CallRefusedError(first?.address ?? host, first?.why ?? "has no address");
  return addresses;
}

/** Settles like `work`, but rejects with the signal's reason as soon as it aborts. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
