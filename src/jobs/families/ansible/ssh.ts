import { type SshSettings, sshOptions } from "../../../git/ssh-options.ts";
import type { AccessKeyInstaller } from "../../../keys/installer.ts";
import { shellWord } from "../../../process/shell-word.ts";
import type { AnsiblePlaces } from "./environment.ts";

/**
 * Option of ssh that the wrappers leave out: BatchMode would keep sshpass from answering the password prompt. Other prompts
 * fail without it too, since they have no terminal.
 */
const LEFT_OUT = /^BatchMode=/;

/**
 * Writes wrapper programs for ssh, sftp and scp and returns their paths. The wrappers read Signalman's settings from a
 * configuration file, so that options on the command line, from ansible.cfg, inventory or variables, override them.
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
