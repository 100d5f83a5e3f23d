/** Check of host keys: `accept-new` stores the key of a new host and requires it later; `off` checks nothing. */
export type HostKeys = "accept-new" | "strict" | "off";

export interface SshSettings {
  hostKeys: HostKeys;
  /** File of known hosts, used in addition to the machine's /etc/ssh/ssh_known_hosts. */
  knownHosts: string;
}

const CONNECT_SECONDS = 20;

/**
 * Returns arguments for every use of ssh by a task: no prompts, no configuration of the user, host keys checked. A connection
 * attempt times out after 20 s, an established connection after 60 s without an answer.
 */
export function sshOptions({ hostKeys, knownHosts }: SshSettings): string[] {
  const options = {
    BatchMode: "yes",
    ConnectTimeout: CONNECT_SECONDS,
    ServerAliveInterval: 15,
    ServerAliveCountMax: 4,
    ...(hostKeys === "off"
      ? {
          StrictHostKeyChecking: "no",
          UserKnownHostsFile: "/dev/null",
          GlobalKnownHostsFile: "/dev/null",
          LogLevel: "ERROR", // without it, ssh warns of each key that it has "permanently added"
        }
      : {
          StrictHostKeyChecking: hostKeys === "strict" ? "yes" : "accept-new",
          // Quoted, since the path may contain spaces; `%` would begin a token of ssh.
          UserKnownHostsFile: `"${knownHosts.replaceAll("%", "%%")}"`,
          UpdateHostKeys: "no",
          HashKnownHosts: "no",
        }),
  };
  return ["-F", "none", ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`])];
}
