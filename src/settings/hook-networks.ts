import { isIP } from "node:net";
import type { Endpoint, HookNetworks, Network } from "../runner/hooks/call-policy.ts";

/** Parses what hooks may call. @throws Error whose message completes "SIGNALMAN_HOOK_NETWORKS …". */
export function parseHookNetworks(text: string): HookNetworks {
  const entries = text.split(",").map((entry) => entry.trim());
  const others = entries.filter((entry) => entry !== "any");
  const networks = others.map(parseNetwork);
  const endpoints = others.map(parseEndpoint);
  const wrong = others.find((_, at) => networks[at] === undefined && endpoints[at] === undefined);
  if (wrong !== undefined)
    throw new Error(
      `must be any, networks such as 10.0.0.0/8 or fd00::/8, or addresses with a port such as 127.0.0.1:8480 or [::1]:8480, joined by commas, not ${JSON.stringify(wrong)}`,
    );
  return {
    any: others.length < entries.length,
    networks: networks.filter((one) => one !== undefined),
    endpoints: endpoints.filter((one) => one !== undefined),
  };
}

/** Returns the network of `10.0.0.0/8`, or of an address alone; undefined: the text is neither. */
function parseNetwork(text: string): Network | undefined {
  const [address = "", prefix, ...more] = text.split("/");
  const longest = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
  if (longest === 0 || address.includes("%") || more.length > 0) return undefined;
  if (prefix === undefined) return { address, prefix: longest };
  return /^\d{1,3}$/.test(prefix) && Number(prefix) <= longest
    ? { address, prefix: Number(prefix) }
    : undefined;
}

/** Returns the address and port of `127.0.0.1:8480` or `[::1]:8480`; undefined: the text is neither. */
function parseEndpoint(text: string): Endpoint | undefined {
  const [, host = "", digits = ""] = /^(\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(text) ?? [];
  const address = host.replace(/^\[|\]$/g, "");
  const isAddress = isIP(address) === (host.startsWith("[") ? 6 : 4) && !address.includes("%");
  return isAddress && Number(digits) <= 65_535 ? { host: address, port: Number(digits) } : undefined;
}
