import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { Logger } from "pino";
import { type Loop, startLoop } from "../async/poll-loop.ts";
import type { Config } from "../config.ts";
import { readRegular } from "../files/regular-file.ts";
import type { KeyPair } from "../http/tls.ts";
import { messageOf } from "../task/errors.ts";

const MAX_BYTES = 1024 * 1024;
/** Interval at which the files are compared with what is in use. */
const LOOK_MS = 2000;

type Files = Pick<Config, "tlsCert" | "tlsKey">;

/**
 * Reads the certificate and the key of the port; undefined if TLS is not configured.
 * @throws Error that names the files, if they cannot be read, do not belong together, or are no PEM
 */
export function readKeyPair({ tlsCert, tlsKey }: Files): KeyPair | undefined {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  try {
    const pair = { cert: read(tlsCert), key: read(tlsKey) };
    createSecureContext(pair);
    return pair;
  } catch (cause) {
    throw new Error(`Cannot use ${tlsCert} and ${tlsKey} for TLS: ${messageOf(cause)}`, { cause });
  }
}

function read(file: string): Buffer {
  const content = readRegular(file, { maxBytes: MAX_BYTES, links: "followed" });
  if (content === undefined) throw new Error(`there is no ${file}`);
  return content;
}

/**
 * Returns a loop that passes on the pair when the files have changed. Files that cannot be used are logged once, and the
 * pair in use stays. It compares the content of the files, since watching them would miss a change of a link or a folder on
 * their paths.
 */
export function followKeyPair(
  files: Files,
  first: KeyPair,
  use: (pair: KeyPair) => void,
  logger: Logger,
): Loop {
  let inUse = first;
  note(first, logger);
  return startLoop({ name: "read the TLS certificate", everyMs: LOOK_MS, logger }, async () => {
    const pair = readKeyPair(files);
    if (pair === undefined || (pair.cert.equals(inUse.cert) && pair.key.equals(inUse.key))) return;
    use(pair);
    inUse = pair;
    note(pair, logger);
  });
}

/** Logs which certificate is in use, and warns if it has expired. */
function note({ cert }: KeyPair, logger: Logger): void {
  const { subject, validTo, validToDate } = new X509Certificate(cert);
  const isOver = validToDate.getTime() < Date.now();
  logger[isOver ? "warn" : "info"](
    { subject, validTo },
    isOver ? "the TLS certificate has expired: clients refuse it" : "TLS certificate in use",
  );
}
