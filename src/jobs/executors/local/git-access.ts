import type { GitAccess } from "../../../git/access.ts";
import type { RemoteUrl } from "../../../git/remote-url.ts";
import type { AccessKey } from "../../../keys/access-key.ts";
import type { AccessKeyInstaller } from "../../../keys/installer.ts";
import { PrepareError } from "../../../task/errors.ts";

/** User name sent with a token. Git hosts accept any name there; GitHub requires this one for some kinds of tokens. */
const TOKEN_USER = "x-access-token";

/** An access key that git can use until it is disposed. */
export interface OpenAccess extends AsyncDisposable {
  readonly access: GitAccess;
}

/**
 * Makes an access key usable by git: an SSH agent for an SSH remote, a file of credentials for HTTP.
 * @throws PrepareError if the key's type does not fit the remote, or the key cannot be used; the signal's reason.
 */
export async function openAccess(
  keys: AccessKeyInstaller,
  key: AccessKey,
  remote: RemoteUrl,
  signal: AbortSignal,
): Promise<OpenAccess> {
  if (key.kind === "none") return { access: { kind: "none" }, [Symbol.asyncDispose]: async () => {} };
  if (remote.scheme === "ssh") {
    if (key.kind !== "ssh")
      throw new PrepareError(`Cannot fetch ${remote.shown} with ${key.name}: SSH needs a key of type ssh`);
    const agent = await keys.agent("git", key, signal);
    return {
      access: { kind: "agent", socket: agent.socket, login: key.login },
      [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
    };
  }
  if (key.kind === "ssh")
    throw new PrepareError(
      `Cannot fetch ${remote.shown} with ${key.name}: ${remote.scheme} needs a key of type login_password or text`,
    );
  const named = key.kind === "login_password" ? key.login : "";
  const login = named || remote.user || TOKEN_USER;
  const password = key.kind === "text" ? key.value : key.password;
  if (/[\0\r\n]/.test(`${login}${password}`))
    throw new PrepareError(
      `Cannot use ${key.name} for ${remote.shown}: its login, password or token has more than one line; set it again as one line`,
    );
  const file = await keys.file("git-credentials", `username=${login}\npassword=${password}\n`);
  return {
    access: { kind: "credentials", file: file.path },
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}
