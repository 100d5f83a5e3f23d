import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A key pair that is created for a test. */
export interface SshKey {
  /** Text of the private key file, encrypted if the key has a passphrase. */
  readonly privateKey: string;
  /** One line. */
  readonly publicKey: string;
}

export interface SshdOptions {
  /** Public keys that may log in, one a line each. */
  authorized: readonly string[];
  /** Default: a new one. */
  hostKey?: SshKey;
  /** Default: a free one. */
  port?: number;
  /** More lines of sshd_config. */
  config?: readonly string[];
}

/** A real OpenSSH server on loopback, for the user who runs the tests. */
export interface Sshd extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
  readonly hostKey: SshKey;
  /** Log lines of sshd, the newest last. */
  readonly log: readonly string[];
}

/** Reason for skipping tests without sshd. */
export const NO_SSHD = "there is no sshd on this machine (apt-get install openssh-server)";
const SSHD = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/opt/homebrew/sbin/sshd"].find((path) =>
  existsSync(path),
);
export const hasSshd = SSHD !== undefined;

export function makeSshKey(passphrase = ""): SshKey {
  const folder = mkdtempSync(join(tmpdir(), "signalman-key-"));
  try {
    const path = join(folder, "key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", path]);
    return {
      privateKey: readFileSync(path, "utf8"),
      publicKey: readFileSync(`${path}.pub`, "utf8").trim(),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Resolves when it listens. Programs run by it get PATH alone, as sshd has it. */
export async function startSshd(options: SshdOptions): Promise<Sshd> {
  if (!SSHD) throw new Error(NO_SSHD);
  // As root it wants its folder for separated privileges, which a container without a service manager lacks.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  const folder = mkdtempSync(join(tmpdir(), "signalman-sshd-"));
  const hostKey = options.hostKey ?? makeSshKey();
  const port = options.port ?? (await freePort());
  writeFileSync(join(folder, "host_key"), hostKey.privateKey, { mode: 0o600 });
  writeFileSync(join(folder, "authorized_keys"), `${options.authorized.join("\n")}\n`, { mode: 0o600 });
  const config = [
    ...(options.config ?? []),
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${join(folder, "host_key")}`,
    `AuthorizedKeysFile ${join(folder, "authorized_keys")}`,
    "PidFile none",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PermitRootLogin yes",
    "StrictModes no",
    "UsePAM no",
    "Subsystem sftp internal-sftp",
  ];
  writeFileSync(join(folder, "sshd_config"), `${config.join("\n")}\n`);
  const log: string[] = [];
  const child = spawn(SSHD, ["-D", "-e", "-f", join(folder, "sshd_config")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(child, "exit");
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      log.push(line);
      if (line.startsWith("Server listening on")) resolve();
    });
    ended.then(() => reject(new Error(`sshd ended: ${log.join("; ")}`)), reject);
  });
  return {
    port,
    user: userInfo().username,
    hostKey,
    log,
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === "string") throw new Error("No port");
  return address.port;
}
