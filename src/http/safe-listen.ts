import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { ListenError, listenError } from "./listen-error.ts";

/**
 * Refuses to open the port to other machines while the server has no token, since every caller can run programs here. A host
 * name is checked by all of its addresses.
 * @throws ListenError if an address is not a loopback address.
 */
export async function assertSafeListen(host: string, hasToken: boolean): Promise<void> {
  if (hasToken) return;
  const addresses = await addressesOf(host);
  const open = addresses.find((address) => !isLoopback(address));
  if (open === undefined) return;
  const where = open === host ? host : `${host} (${open})`;
  throw new ListenError(
    `Cannot listen on ${where}: other machines could run programs here, since no token is set. ` +
      "Set SIGNALMAN_TOKEN, or listen on 127.0.0.1",
  );
}

/** True for addresses of 127.0.0.0/8 and ::1, also for IPv4-mapped IPv6 addresses. */
export function isLoopback(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  return loopback().check(address, family === 6 ? "ipv6" : "ipv4");
}

function loopback(): BlockList {
  const list = new BlockList();
  list.addSubnet("127.0.0.0", 8, "ipv4");
  list.addAddress("::1", "ipv6");
  return list;
}

async function addressesOf(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  if (host === "") return ["::"]; // Node then listens on all addresses
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (cause) {
    throw listenError(host, 0, cause);
  }
}
