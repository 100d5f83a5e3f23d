import { BlockList, isIP } from "node:net";

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
