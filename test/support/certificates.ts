import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TestCertificate extends Disposable {
  certFile: string;
  keyFile: string;
  cert: Buffer;
  key: Buffer;
}

/** Makes a self-signed certificate of localhost by openssl, which is its own authority. */
export function makeCertificate(name = "localhost"): TestCertificate {
  const folder = mkdtempSync(join(tmpdir(), "signalman-tls-"));
  const [certFile, keyFile] = [join(folder, "server.crt"), join(folder, "server.key")];
  execFileSync(
    "openssl",
    [
      ...[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
      ],
      ...["-keyout", keyFile, "-out", certFile, "-subj", `/CN=${name}`],
      ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  return {
    certFile,
    keyFile,
    cert: readFileSync(certFile),
    key: readFileSync(keyFile),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
