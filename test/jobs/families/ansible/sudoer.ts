import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { hasProgram } from "../../../support/ansible.ts";

/** Reason for skipping tests where no such user can be created. */
export const NO_SUDOER =
  "making a user whose sudo asks for a password needs root and sudo (tools/install-test-tools.sh)";
export const canMakeSudoer = process.getuid?.() === 0 && hasProgram("sudo") && hasProgram("useradd");

/** A user of this machine whom sudo asks for a password; removed when disposed. */
export interface Sudoer extends Disposable {
  readonly name: string;
  readonly password: string;
}

/** @param publicKey may log in by SSH, from `.ssh/authorized_keys`. */
export function makeSudoer(publicKey: string): Sudoer {
  const name = `sm${randomBytes(4).toString("hex")}`;
  const password = `Pw-${randomBytes(9).toString("base64url")}`;
  const [home, rule] = [`/home/${name}`, `/etc/sudoers.d/${name}`];
  execFileSync("useradd", ["-m", "-d", home, "-s", "/bin/bash", name]);
  execFileSync("chpasswd", { input: `${name}:${password}\n` });
  writeFileSync(rule, `${name} ALL=(ALL:ALL) ALL\n`, { mode: 0o440 });
  mkdirSync(`${home}/.ssh`, { mode: 0o755 });
  writeFileSync(`${home}/.ssh/authorized_keys`, `${publicKey}\n`, { mode: 0o644 });
  return {
    name,
    password,
    [Symbol.dispose]() {
      rmSync(rule, { force: true });
      execFileSync("userdel", ["-r", "-f", name], { stdio: "ignore" });
    },
  };
}
