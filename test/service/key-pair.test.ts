import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { KeyPair } from "../../src/http/tls.ts";
import { followKeyPair, readKeyPair } from "../../src/service/key-pair.ts";
import { memoryLogger } from "../http/server.ts";
import { makeCertificate, type TestCertificate } from "../support/certificates.ts";

let [first, second]: TestCertificate[] = [];
let folder: string;
beforeAll(() => {
  [first, second] = [makeCertificate("first"), makeCertificate("second")];
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "signalman-pair-"));
});
afterAll(() => {
  first?.[Symbol.dispose]();
  second?.[Symbol.dispose]();
});

const files = () => ({ tlsCert: join(folder, "server.crt"), tlsKey: join(folder, "server.key") });
function put(
  { certFile, keyFile }: Pick<TestCertificate, "certFile" | "keyFile"> = first as TestCertificate,
) {
  copyFileSync(certFile, files().tlsCert);
  copyFileSync(keyFile, files().tlsKey);
}

test("files that change are used, and those that cannot be are told of once", async () => {
  put();
  const pair = readKeyPair(files()) as KeyPair;
  const lines: Record<string, unknown>[] = [];
  const used: string[] = [];
  let rounds = Promise.withResolvers<void>();
  const follower = followKeyPair(
    files(),
    pair,
    ({ cert }) => {
      used.push(String(cert));
      rounds.resolve();
    },
    memoryLogger(lines),
  );
  const told = (text: string) =>
    expect.poll(() => lines.filter(({ msg }) => String(msg).includes(text))).toHaveLength(1);
  follower.start();
  copyFileSync((second as TestCertificate).certFile, files().tlsCert); // the certificate changes before its key
  follower.wake();
  await told("key values mismatch");
  follower.wake();
  copyFileSync((second as TestCertificate).keyFile, files().tlsKey);
  follower.wake();
  await rounds.promise;
  expect(used).toEqual([String(second?.cert)]);
  rounds = Promise.withResolvers();
  rmSync(files().tlsCert);
  follower.wake();
  await told("there is no ");
  symlinkSync((first as TestCertificate).certFile, files().tlsCert); // as in a mounted secret
  copyFileSync((first as TestCertificate).keyFile, files().tlsKey);
  follower.wake();
  await rounds.promise;
  expect(used).toEqual([String(second?.cert), String(first?.cert)]);
  await follower.stop();
});

test.each([
  ["no PEM", () => writeFileSync(files().tlsCert, "nothing")],
  ["an empty key", () => writeFileSync(files().tlsKey, "")],
  ["another key", () => copyFileSync((second as TestCertificate).keyFile, files().tlsKey)],
  ["no file", () => rmSync(files().tlsKey)],
])("a server is not started with %s", (_, spoil) => {
  put();
  spoil();
  const { tlsCert, tlsKey } = files();
  expect(() => readKeyPair(files())).toThrow(`Cannot use ${tlsCert} and ${tlsKey} for TLS: `);
});
