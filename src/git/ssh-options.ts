/** How hosts are known: `accept-new` learns a new one's key and insists on it later; `off` asks for none. */
export type HostKeys = "accept-new" | "strict" | "off";

export interface SshSettings {
  hostKeys: HostKeys;
  /** File of known hosts; beside it the machine's own (/etc/ssh/ssh_known_hosts) counts. */
  knownHosts: string;
}

const CONNECT_SECONDS = 20;

/**
 * Arguments for ssh, the same wherever a task uses it: nothing is asked, no personal configuration counts, hosts are
 * checked, and one that does not answer, or no longer, is given up after 20 s, or a minute.
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
          LogLevel: "ERROR", // else it tells of each key that it has "permanently added"
        }
      : {
          StrictHostKeyChecking: hostKeys === "strict" ? "yes" : "accept-new",
          // Quoted for its spaces; a percent sign would begin a token.
          UserKnownHostsFile: `"${knownHosts.replaceAll("%", "%%")}"`,
          UpdateHostKeys: "no",
          HashKnownHosts: "no",
        }),
  };
  return ["-F", "none", ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`])];
}
