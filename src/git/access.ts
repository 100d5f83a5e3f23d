import { shellWord } from "../process/shell-word.ts";
import type { RemoteUrl } from "./remote-url.ts";
import { type SshSettings, sshOptions } from "./ssh-options.ts";

/** What opens a repository. Files and agents are made, and removed, by whoever hands them over. */
export type GitAccess =
  | { kind: "none" }
  /** A file with the lines `username=…` and `password=…`, as git's credential helpers print them. */
  | { kind: "credentials"; file: string }
  /** An ssh-agent's socket; `login`, if not empty, wins over the URL's user. */
  | { kind: "agent"; socket: string; login: string };

/** Additions to a git process that talks to a remote. */
export interface Reach {
  config: readonly string[];
  env: Readonly<Record<string, string>>;
}

const CREDENTIALS = "SIGNALMAN_GIT_CREDENTIALS";
const HELPER = `!f() { [ "$1" != get ] || cat "$${CREDENTIALS}"; }; f`;

/**
 * How to reach a remote: nothing is ever asked, and credentials come from their file, for this host alone.
 */
export function reach(remote: RemoteUrl, access: GitAccess, ssh: SshSettings): Reach {
  const config = ["protocol.http.allow=always", "protocol.https.allow=always", "protocol.ssh.allow=always"];
  if (access.kind === "credentials") {
    const scoped = `credential.${remote.scheme}://${remote.host}.helper=${HELPER}`;
    return { config: [...config, scoped], env: { [CREDENTIALS]: access.file } };
  }
  if (remote.scheme !== "ssh") return { config, env: {} };
  const login = access.kind === "agent" && access.login ? ["-o", `User=${access.login}`] : [];
  // No key but the agent's: the server's own user may have some.
  const command = ["ssh", ...sshOptions(ssh), "-o", "IdentityFile=none", ...login];
  return {
    config,
    env: {
      GIT_SSH_COMMAND: command.map(shellWord).join(" "),
      GIT_SSH_VARIANT: "ssh",
      ...(access.kind === "agent" ? { SSH_AUTH_SOCK: access.socket } : {}),
    },
  };
}
