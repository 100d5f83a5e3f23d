import { copyFileSync, readFileSync } from "node:fs";
import tls from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeCertificate, type TestCertificate } from "../support/certificates.ts";
import { startService, type TestService } from "../support/service.ts";
import { cli } from "./cli.ts";

const TOKEN = "0123456789abcdef";
let certificate: TestCertificate;
let service: TestService;
beforeAll(async () => {
  certificate = makeCertificate();
  service = await startService({
    env: {
      SIGNALMAN_TOKEN: TOKEN,
      SIGNALMAN_LISTEN: "0.0.0.0:0",
      SIGNALMAN_TLS_CERT: certificate.certFile,
      SIGNALMAN_TLS_KEY: certificate.keyFile,
    },
  });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  certificate[Symbol.dispose]();
});

const address = () => `https://localhost:${new URL(service.url).port}`;
const list = (...options: string[]) =>
  cli(["list", ...options], { server: address(), env: { SIGNALMAN_TOKEN: TOKEN } });

test("the command line calls a server with TLS beyond loopback", async () => {
  expect(await list("--ca-file", certificate.certFile)).toMatchObject({ code: 0, stderr: "" });
  const env = { SIGNALMAN_TOKEN: TOKEN, SIGNALMAN_CA_FILE: certificate.certFile };
  expect(await cli(["list"], { server: address(), env })).toMatchObject({ code: 0 });
});

test("the command line refuses an unknown certificate at once, and says what to do", async () => {
  const { code, stderr } = await list();
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /cannot trust https:\S+: .*self-signed certificate.*\n.*name the certificate of its authority in --ca-file/,
  );
  const missing = await list("--ca-file", "/nowhere.pem");
  expect([missing.code, missing.stderr]).toEqual([
    2,
    expect.stringContaining("--ca-file or SIGNALMAN_CA_FILE: ENOENT"),
  ]);
});

test("a running server uses a certificate that has changed", async () => {
  using next = makeCertificate("next");
  copyFileSync(next.keyFile, certificate.keyFile);
  copyFileSync(next.certFile, certificate.certFile);
  const shown = async () => {
    const socket = tls.connect({ port: Number(new URL(service.url).port), rejectUnauthorized: false });
    const name = await new Promise<string>((resolve, reject) =>
      socket
        .once("error", reject)
        .once("secureConnect", () => resolve(String(socket.getPeerCertificate().subject.CN))),
    );
    socket.destroy();
    return name;
  };
  await expect.poll(shown, { timeout: 30_000, interval: 200 }).toBe("next");
  expect(await list("--ca-file", certificate.certFile)).toMatchObject({ code: 0 });
  expect(readFileSync(certificate.certFile)).toEqual(next.cert);
});
