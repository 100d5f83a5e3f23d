import { anyone } from "../access/anyone.ts";
import { type Credentials, inTurn } from "../access/authenticator.ts";
import type { Callers } from "../access/callers.ts";
import { readRootToken, rootTokenFile } from "../access/root-token-file.ts";
import { rootTokens, socketPeer } from "../access/root-tokens.ts";
import { storedTokens } from "../access/stored-tokens.ts";
import type { Caller } from "../task/caller.ts";
import type { Failure } from "../task/errors.ts";
import type { ServiceContext } from "./context.ts";

/**
 * Returns the authenticator of the port. A server without SIGNALMAN_TOKEN makes its root token, so that a first start without
 * settings is closed too; with --no-auth every program on this machine may call.
 */
export async function openAccess(
  { config, dataDir, logger }: ServiceContext,
  callers: Pick<Callers, "verify">,
): Promise<(given: Credentials) => Promise<Caller | Failure>> {
  const stored = storedTokens(callers);
  if (config.noAuth) {
    if (process.geteuid?.() === 0)
      logger.warn(
        "this server runs as root, and --no-auth lets every user of this machine run programs as root: leave --no-auth out",
      );
    return inTurn(stored, anyone);
  }
  if (config.tokens) return inTurn(socketPeer, rootTokens(config.tokens), stored);
  const token = await readRootToken(dataDir);
  const file = rootTokenFile(dataDir);
  logger.info({ file }, `calls need a token: ${file} holds that of the root account`);
  return inTurn(socketPeer, rootTokens([token]), stored);
}
