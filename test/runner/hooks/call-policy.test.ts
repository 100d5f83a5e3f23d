import { networkInterfaces } from "node:os";
import { describe, expect, test } from "vitest";
import { createCallPolicy, type Endpoint, type HookNetworks } from "../../../src/runner/hooks/call-policy.ts";
import { parseHookNetworks } from "../../../src/settings/hook-networks.ts";

const ANY: HookNetworks = parseHookNetworks("any");
const policyOf = (allowed: string, own: Endpoint[] = []) =>
  createCallPolicy(parseHookNetworks(allowed), () => own);
const OWN = "and its port belong to this service";

describe("by default", () => {
  const mayCall = createCallPolicy(ANY, () => []);

  test.each([
    "169.254.169.254",
    "169.254.0.1",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "0:0:0:0:0:FFFF:A9FE:A9FE",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "2002:a9fe:a9fe:1::7",
    "fe80::1",
    "fe80::1%2",
    "fe80::fc:ff:fe00:1%eth0",
    "febf::1",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "::ffff:0.0.0.0",
    "100.100.100.200",
    "::ffff:100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
  ])("%s is refused on every port", async (address) => {
    for (const port of [80, 443, 8080]) expect(await mayCall(address, port)).toMatch(/^(is|stands) /);
  });

  test.each([
    "127.0.0.1",
    "::1",
    "10.0.0.1",
    "192.168.1.1",
    "169.253.255.255",
    "169.255.0.0",
    "100.100.100.201",
    "8.8.8.8",
    "2606:4700::1111",
    "fd00::2",
    "fec0::1",
    "::ffff:10.0.0.1",
    "64:ff9b::808:808",
    "2002:808:808::",
  ])("%s may be called", async (address) => expect(await mayCall(address, 80)).toBeUndefined());
});

describe("the service's own endpoints are refused", () => {
  const here = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));

  test.each([
    ["127.0.0.1", "127.0.0.1"],
    ["127.0.0.1", "127.1.2.3"],
    ["127.0.0.1", "::1"],
    ["127.0.0.1", "::ffff:127.0.0.1"],
    ["127.0.0.1", "64:ff9b::7f00:1"],
    ["0.0.0.0", "127.0.0.1"],
    ["0.0.0.0", "::1"],
    ["::", "127.0.0.1"],
    ["", "127.0.0.1"],
    ["::ffff:127.0.0.1", "127.0.0.1"],
    ["localhost", "127.0.0.1"],
    ["203.0.113.7", "203.0.113.7"],
    ["203.0.113.7", "::ffff:203.0.113.7"],
    ["203.0.113.7", "64:ff9b::cb00:7107"],
    ["2001:db8::7", "2001:db8:0::7"],
  ])("%s as %s", async (host, address) => {
    const mayCall = policyOf("any", [{ host, port: 8480 }]);
    expect(await mayCall(address, 8480)).toBe(OWN);
    expect(await mayCall(address, 8481)).toBeUndefined();
  });

  test("on every address of this machine, if one of them is this machine's", async () => {
    const mayCall = policyOf("any", [{ host: "0.0.0.0", port: 8480 }]);
    for (const address of here) expect(await mayCall(address, 8480), address).toBeDefined();
    expect(await mayCall("203.0.113.7", 8480)).toBeUndefined();
  });

  test("and so is every address at the port of a host that cannot be resolved", async () => {
    const mayCall = policyOf("any", [{ host: "database.invalid", port: 5432 }]);
    expect(await mayCall("203.0.113.7", 5432)).toBe(OWN);
    expect(await mayCall("203.0.113.7", 80)).toBeUndefined();
  });

  test("also those that are known only later", async () => {
    const own: Endpoint[] = [];
    const mayCall = createCallPolicy(ANY, () => own);
    expect(await mayCall("127.0.0.1", 8480)).toBeUndefined();
    own.push({ host: "127.0.0.1", port: 8480 });
    expect(await mayCall("127.0.0.1", 8480)).toBe(OWN);
  });
});

describe("the operator's list", () => {
  test("leaves out what it does not name", async () => {
    const mayCall = policyOf("10.0.0.0/8, fd00:1::/32,203.0.113.7");
    for (const address of ["10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5", "203.0.113.7"])
      expect(await mayCall(address, 80), address).toBeUndefined();
    for (const address of ["127.0.0.1", "203.0.113.8", "fd00:2::5", "64:ff9b::a00:1"])
      expect(await mayCall(address, 80), address).toBe("is in none of the networks that hooks may call");
  });

  test("opens what is always refused only by an address with its port", async () => {
    const own = [{ host: "127.0.0.1", port: 8480 }];
    const wide = policyOf("0.0.0.0/0,::/0,169.254.0.0/16,127.0.0.1", own);
    expect(await wide("169.254.169.254", 80)).toBe("is link-local");
    expect(await wide("127.0.0.1", 8480)).toBe(OWN);
    const opened = policyOf("any,169.254.169.254:80,127.0.0.1:8480,[fe80::1]:80", own);
    expect(await opened("169.254.169.254", 80)).toBeUndefined();
    expect(await opened("127.0.0.1", 8480)).toBeUndefined();
    expect(await opened("fe80::1%2", 80)).toBeUndefined();
    expect(await opened("169.254.169.254", 443)).toBe("is link-local");
    expect(await opened("127.0.0.2", 8480)).toBe(OWN);
  });

  test("of endpoints alone permits nothing else", async () => {
    const mayCall = policyOf("127.0.0.1:9000");
    expect(await mayCall("127.0.0.1", 9000)).toBeUndefined();
    expect(await mayCall("127.0.0.1", 9001)).toBeDefined();
    expect(await mayCall("8.8.8.8", 443)).toBeDefined();
  });
});
