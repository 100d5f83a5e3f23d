import { expect, test } from "vitest";
import { assertSafeListen, isLoopback } from "../../src/http/safe-listen.ts";

test.each(["127.0.0.1", "127.8.9.10", "::1", "localhost", "::ffff:127.0.0.1"])(
  "%s is this machine only",
  async (host) => {
    await assertSafeListen(host, false);
  },
);

test.each(["0.0.0.0", "::", "", "192.0.2.7", "::ffff:192.0.2.7"])("%s wants a token", async (host) => {
  await expect(assertSafeListen(host, false)).rejects.toThrow(
    /Cannot listen on .*Set SIGNALMAN_TOKEN, or listen on 127.0.0.1/,
  );
  await assertSafeListen(host, true);
});

test("a name that means nothing is no safe one", async () => {
  await expect(assertSafeListen("no.such.host.invalid", false)).rejects.toThrow(/no.such.host.invalid/);
  expect(isLoopback("localhost.evil.example")).toBe(false);
});
