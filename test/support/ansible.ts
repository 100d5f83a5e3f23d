import { execFileSync } from "node:child_process";

/** Reason for skipping tests without Ansible. */
export const NO_ANSIBLE = "there is no ansible-playbook on this machine (tools/install-test-tools.sh)";

export const hasAnsible = hasProgram("ansible-playbook");

export function hasProgram(command: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${command}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
