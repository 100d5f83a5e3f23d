import { type SshSettings, sshOptions } from "../../git/ssh-options.ts";
import type { AccessKeyInstaller } from "../../keys/installer.ts";
import { shellWord } from "../../process/shell-word.ts";
import type { AnsiblePlaces } from "./environment.ts";

/** A password may be asked for: by sshpass. Anything else that asks finds no terminal. */
const LEFT_OUT = /^BatchMode=/;

/**
 * The programs that Ansible calls for SSH: they read our settings from a file, so that whatever a playbook's ansible.cfg,
 * inventory or variables say on their command line counts before these.
 */
export async function sshPrograms(
  keys: AccessKeyInstaller,
  settings: SshSettings,
): Promise<AnsiblePlaces["ssh"]> {
  const options = sshOptions(settings).filter(
    (argument) => argument.includes("=") && !LEFT_OUT.test(argument),
  );
  const lines = options.map((option) => `  ${option.replace("=", " ")}\n`);
  const config = await keys.file("ssh_config", `Host *\n${lines.join("")}`);
  const wrap = async (program: string) =>
    (await keys.program(program, `#!/bin/sh\nexec ${program} -F ${shellWord(config.path)} "$@"\n`)).path;
  return { ssh: await wrap("ssh"), sftp: await wrap("sftp"), scp: await wrap("scp") };
}
