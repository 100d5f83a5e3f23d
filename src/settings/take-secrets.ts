import { closeSync, readFileSync } from "node:fs";

/** Variable that names the descriptor of a pipe with the server's secrets; bin/init.sh sets it. */
const DESCRIPTOR = "SIGNALMAN_SECRETS_FD";

/**
 * Returns the environment with the server's secrets in it, and removes them from `env`, which the programs that the server starts
 * inherit. Secrets that bin/init.sh has taken out of the environment come from its pipe.
 */
export function takeSecrets(names: readonly string[], env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { [DESCRIPTOR]: descriptor, ...inherited } = env;
  const handedOver = descriptor === undefined ? {} : readSecrets(names, Number(descriptor));
  for (const name of [...names, DESCRIPTOR]) delete env[name];
  return { ...inherited, ...handedOver };
}

/** Reads texts of the form NAME=VALUE, each followed by a line break. A value may have line breaks too. */
function readSecrets(names: readonly string[], descriptor: number): NodeJS.ProcessEnv {
  const texts = readFileSync(descriptor, "utf8").split(new RegExp(`^(?=(?:${names.join("|")})=)`, "m"));
  closeSync(descriptor);
  return Object.fromEntries(
    texts.map((text) => {
      const end = text.indexOf("=");
      return [text.slice(0, end), text.slice(end + 1).replace(/\n$/, "")];
    }),
  );
}
