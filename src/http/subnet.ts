import { isIPv6 } from "node:net";

const IPV4_MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
/** Groups of 16 bits in an IPv6 address, and in a /64. */
const GROUPS = 8;
const GROUPS_OF_64 = 4;

/**
 * Returns the network that one host commands: an IPv4 address, or the /64 of an IPv6 address, in which every host can use as
 * many addresses as it likes (RFC 4291, section 2.5.4).
 */
export function subnetOf(address: string): string {
  const [, mapped] = IPV4_MAPPED.exec(address) ?? [];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = [], tail = []] = address.split("::").map((part) => part.split(":").filter(Boolean));
  const zeros = Array.from({ length: GROUPS - head.length - tail.length }, () => "0");
  const groups = [...head, ...zeros, ...tail].slice(0, GROUPS_OF_64);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
}
