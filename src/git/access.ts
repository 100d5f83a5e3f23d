import { shellWord } from "../process/shell-word.ts";
import type { RemoteUrl } from "./remote-url.ts";
import { type SshSettings, sshOptions } from "./ssh-options.ts";

/** Credentials for a remote repository. The caller makes, and later removes, the file or agent that they refer to. */
export type GitAccess =
  | { kind: "none" }
  /** A file with the lines `username=…` and `password=…`, as git's credential helpers print them. */
  | { kind: "credentials"; file: string }
  /** An ssh-agent's socket; `login`, unless empty, overrides the URL's user. */
  | { kind: "agent"; socket: string; login: string };

/** Settings and environment variables for a git process that talks to a remote. */
export interface Reach {
  config: readonly string[];
  env: Readonly<Record<string, string>>;
}

const CREDENTIALS = "SIGNALMAN_GIT_CREDENTIALS";
const HELPER = `!f() { [ "$1" != get ] || cat "$${CREDENTIALS}"; }; f`;

/**
 * Returns settings with which git reaches a remote. Git never prompts, and credentials are read from their file and offered
 * to this host only.
 */
export function reach(remote: RemoteUrl, access: GitAccess, ssh: SshSettings): Reach {
  const config = ["protocol.http.allow=always", "protocol.https.allow=always", "protocol.ssh.allow=always"];
  if (access.kind === "credentials") {
    const scoped = `credential.${remote.scheme}://${remote.host}.helper=${HELPER}`;
    return { config: [...config, scoped], env: { [CREDENTIALS]: access.file } };
  }
  if (remote.scheme !== "ssh") return { config, env: {} };
  const login = access.kind === "agent" && access.login ? ["-o", `User=${access.login}`] : [];
  // Only the agent's keys are offered, not the key files of the server's user.
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
