import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { ListenError, listenError } from "./listen-error.ts";

/**
 * Refuses to open the port to other machines as long as everyone may call: whoever can call can run programs here.
 * A name counts by all the addresses that it stands for.
 * @throws ListenError
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

/** An address of 127.0.0.0/8 or ::1, also when written as an IPv4 address in IPv6. */
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
