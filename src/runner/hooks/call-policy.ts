import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { networkInterfaces } from "node:os";

/** An IP address with its port, or a host name with its port. */
export interface Endpoint {
  host: string;
  port: number;
}

/** A network; with the length of a whole address as its prefix, that address alone. */
export interface Network {
  address: string;
  prefix: number;
}

/** Networks and addresses that the operator lets hooks call (`--hook-networks`). */
export interface HookNetworks {
  /** All addresses but those that are always refused. */
  any: boolean;
  /** Further networks, without the addresses that are always refused. */
  networks: readonly Network[];
  /** Further addresses with their ports; the only way to call an address that is always refused. */
  endpoints: readonly Endpoint[];
}

/** Returns why hooks may not call an IP address, as the end of a sentence about it; undefined: they may. */
export type CallPolicy = (address: string, port: number) => Promise<string | undefined>;

const METADATA = "is of a cloud's metadata service";
/** Networks that are always refused, with the reason. */
const REFUSED: readonly (Network & { why: string })[] = [
  { address: "0.0.0.0", prefix: 8, why: "stands for this machine" },
  { address: "::", prefix: 128, why: "stands for this machine" },
  { address: "169.254.0.0", prefix: 16, why: "is link-local" },
  { address: "fe80::", prefix: 10, why: "is link-local" },
  { address: "100.100.100.200", prefix: 32, why: METADATA }, // Alibaba Cloud
  { address: "168.63.129.16", prefix: 32, why: METADATA }, // Azure
  { address: "192.0.0.192", prefix: 32, why: METADATA }, // Oracle Cloud
  { address: "fd00:c1::a9fe:a9fe", prefix: 128, why: METADATA }, // Oracle Cloud
  { address: "fd00:ec2::", prefix: 32, why: METADATA }, // AWS
  { address: "fd20:ce::254", prefix: 128, why: METADATA }, // Google Cloud
  { address: "fd00:42::42", prefix: 128, why: METADATA }, // Scaleway
];

/**
 * Decides which addresses hooks may call. `own`: endpoints of the service itself, such as its port and its database, which
 * are refused; if one is on this machine, its port is refused on all addresses of this machine.
 */
export function createCallPolicy(allowed: HookNetworks, own: () => readonly Endpoint[]): CallPolicy {
  const refused = REFUSED.map((network) => ({ why: network.why, ...listOf([network]) }));
  const networks = exactly(allowed.networks);
  const opened = allowed.endpoints.map(({ host, port }) => ({ port, ...exactly([whole(host)]) }));
  return async (given, port) => {
    const address = given.replace(/%.*/, ""); // the zone of a link-local address
    if (opened.some((endpoint) => endpoint.port === port && endpoint.has(address))) return undefined;
    const kind = refused.find(({ has }) => has(address));
    if (kind) return kind.why;
    if (await isOwn(address, port, own())) return "and its port belong to this service";
    return allowed.any || networks.has(address)
      ? undefined
      : "is in none of the networks that hooks may call";
  };
}

async function isOwn(address: string, port: number, own: readonly Endpoint[]): Promise<boolean> {
  const hosts = new Set(own.filter((endpoint) => endpoint.port === port).map(({ host }) => host));
  if (hosts.size === 0) return false;
  const here = addressesHere();
  for (const host of hosts) {
    const addresses = await addressesOf(host);
    if (addresses === undefined || listOf(addresses.map(whole)).has(address)) return true;
    if (here.has(address) && addresses.some(here.has)) return true;
  }
  return false;
}

/** Resolves to the addresses of a host; undefined: they cannot be found at the moment. */
async function addressesOf(host: string): Promise<string[] | undefined> {
  try {
    return (await lookup(host || "::", { all: true })).map(({ address }) => address);
  } catch {
    return undefined;
  }
}

/** Returns the addresses of this machine, including those that stand for all of them. */
const addressesHere = () =>
  listOf([
    { address: "127.0.0.0", prefix: 8 },
    { address: "0.0.0.0", prefix: 8 },
    whole("::1"),
    whole("::"),
    ...Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => whole(address))),
  ]);

const whole = (address: string): Network => ({
  address: address.replace(/%.*/, ""),
  prefix: isIP(address) === 6 ? 128 : 32,
});

interface AddressList {
  has(this: void, address: string): boolean;
}

/** Returns a list of networks that has also their IPv6 addresses behind NAT64 (RFC 6052, RFC 8215) and 6to4 (RFC 3056). */
function listOf(networks: readonly Network[]): AddressList {
  const translated = networks
    .filter(({ address }) => isIP(address) === 4)
    .flatMap(({ address, prefix }) => [
      ...["64:ff9b::", "64:ff9b:1::"].map((to) => ({ address: to + address, prefix: 96 + prefix })),
      { address: `2002:${hexOf(address)}::`, prefix: 16 + prefix },
    ]);
  return exactly([...networks, ...translated]);
}

/** Returns a list of networks; an IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) counts as the IPv4 address. */
function exactly(networks: readonly Network[]): AddressList {
  const list = new BlockList();
  for (const { address, prefix } of networks) list.addSubnet(address, prefix, familyOf(address));
  return { has: (address) => list.check(address, familyOf(address)) };
}

const familyOf = (address: string) => (isIP(address) === 6 ? "ipv6" : "ipv4");

/** Returns an IPv4 address as two groups of an IPv6 address. */
function hexOf(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}
