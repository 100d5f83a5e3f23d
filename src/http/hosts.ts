import { isIP } from "node:net";

/**
 * Host names under which the server may be called. Checking them prevents DNS rebinding: a site lets its own name resolve
 * to this machine, and its pages then call this server as their own, without the checks that browsers make for other sites.
 */
export interface Hosts {
  /** Whether calls under other names are refused. */
  checked: boolean;
  /** Names besides loopback names and IP addresses, which DNS rebinding cannot use. `*`: all. */
  names: "*" | readonly string[];
}

/** Returns why the host of a call is refused; undefined if it is known. */
export function faultOfHost(given: string | undefined, names: Hosts["names"]): string | undefined {
  const host = given ?? "";
  if (names === "*" || isKnown(host, names)) return undefined;
  const known = ["localhost", "IP addresses", ...names].join(", ");
  return `got Host "${host.slice(0, 80)}", expected one of ${known}`;
}

function isKnown(given: string, names: readonly string[]): boolean {
  if (!URL.canParse(`http://${given}`)) return false;
  const name = new URL(`http://${given}`).hostname;
  if (isIP(name.replace(/^\[|\]$/g, "")) !== 0) return true;
  return /^(.+\.)?localhost\.?$/.test(name) || names.some((known) => known.toLowerCase() === name);
}
