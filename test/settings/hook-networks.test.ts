import { expect, test } from "vitest";
import { parseHookNetworks } from "../../src/settings/hook-networks.ts";

test("networks, addresses and endpoints are told apart", () => {
  expect(parseHookNetworks("any")).toEqual({ any: true, networks: [], endpoints: [] });
  expect(parseHookNetworks("10.0.0.0/8, ::1 ,fd00::/8,127.0.0.1:80,[::1]:65535")).toEqual({
    any: false,
    networks: [
      { address: "10.0.0.0", prefix: 8 },
      { address: "::1", prefix: 128 },
      { address: "fd00::", prefix: 8 },
    ],
    endpoints: [
      { host: "127.0.0.1", port: 80 },
      { host: "::1", port: 65_535 },
    ],
  });
});

test.each([
  "",
  "any,",
  "all",
  "localhost",
  "chat.example.com:443",
  "10.0.0.0/33",
  "::/129",
  "10.0.0.0/",
  "10.0.0.0/8/8",
  "10.0.0.0/-1",
  "10.0.0/8",
  "fe80::1%eth0",
  "127.0.0.1:65536",
  "127.0.0.1:",
  "[127.0.0.1]:80",
  "[::1]",
  "10.0.0.0/8:80",
])("%j is refused", (text) => {
  expect(() => parseHookNetworks(text)).toThrow(/^must be any, networks such as 10.0.0.0\/8/);
});
