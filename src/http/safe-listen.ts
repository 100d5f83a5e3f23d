import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { isLoopback } from "../access/loopback.ts";
import { ListenError, listenError } from "./listen-error.ts";

/** How the port is protected. */
export interface Protection {
  /** Calls need a token. */
  auth: boolean;
  tls: boolean;
  /** The operator has said that the port may be open to other machines without TLS. */
  plaintext: boolean;
}

/**
 * Refuses to open the port to other machines without tokens, since every caller could run programs here, or without TLS, since
 * tokens and secrets could be read on the way. A host name is checked by all of its addresses.
 * @throws ListenError if an address is not a loopback address.
 */
export async function assertSafeListen(host: string, { auth, tls, plaintext }: Protection): Promise<void> {
  if (auth && (tls || plaintext)) return;
  const addresses = await addressesOf(host);
  const open = addresses.find((address) => !isLoopback(address));
  if (open === undefined) return;
  const where = open === host ? host : `${host} (${open})`;
  throw new ListenError(
    auth
      ? `Cannot listen on ${where}: tokens and secrets could be read on the network, since TLS is off. ` +
          "Give --tls-cert and --tls-key; or --plaintext, if a proxy before this server has TLS; or listen on 127.0.0.1"
      : `Cannot listen on ${where}: other machines could run programs here, since --no-auth accepts every caller. ` +
          "Leave it out, or listen on 127.0.0.1",
  );
}

async function addressesOf(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  if (host === "") return ["::"]; // Node listens on all addresses if the host is empty.
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (cause) {
    throw listenError(host, 0, cause);
  }
}
