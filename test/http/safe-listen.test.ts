import { expect, test } from "vitest";
import { isLoopback } from "../../src/access/loopback.ts";
import { assertSafeListen } from "../../src/http/safe-listen.ts";

const BARE = { auth: false, tls: false, plaintext: false };

test.each(["127.0.0.1", "127.8.9.10", "::1", "localhost", "::ffff:127.0.0.1"])(
  "a server may listen on %s without tokens and TLS",
  async (host) => {
    await assertSafeListen(host, BARE);
  },
);

test.each(["0.0.0.0", "::", "", "192.0.2.7", "::ffff:192.0.2.7"])(
  "a server on %s needs tokens and TLS",
  async (host) => {
    for (const more of [{}, { tls: true }, { plaintext: true }])
      await expect(assertSafeListen(host, { ...BARE, ...more })).rejects.toThrow(
        /Cannot listen on .*--no-auth accepts every caller\. Leave it out, or listen on 127.0.0.1/,
      );
    await expect(assertSafeListen(host, { ...BARE, auth: true })).rejects.toThrow(
      /Cannot listen on .*TLS is off\. Give --tls-cert and --tls-key; or --plaintext.*; or listen on 127.0.0.1/,
    );
    await assertSafeListen(host, { ...BARE, auth: true, tls: true });
    await assertSafeListen(host, { ...BARE, auth: true, plaintext: true });
  },
);

test("a host name that cannot be resolved is refused", async () => {
  await expect(assertSafeListen("no.such.host.invalid", BARE)).rejects.toThrow(/no.such.host.invalid/);
  expect(isLoopback("localhost.evil.example")).toBe(false);
});
