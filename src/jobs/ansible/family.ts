import { copyFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeSocketFolder } from "../../keys/socket-folder.ts";
import { PrepareError } from "../../task/errors.ts";
import { commandOf, type Family, type Site } from "../family.ts";
import { findProgram } from "../find-program.ts";
import { gitEnvironment } from "../local/git-environment.ts";
import type { TaskFolder } from "../local/task-folder.ts";
import { scriptPlace } from "../script.ts";
import { type AnsibleFiles, ansibleArguments } from "./arguments.ts";
import { colors, findConfig, searchPaths } from "./config.ts";
import { galaxyEnvironment, playbookEnvironment } from "./environment.ts";
import { bringFromGalaxy, type GalaxyFolders } from "./galaxy.ts";
import { ansibleHook } from "./hook.ts";
import type { AnsibleInput } from "./input.ts";
import { installKeys } from "./install-keys.ts";
import { placeInventory } from "./inventory.ts";
import {
  ANSIBLE_OVERRIDES,
  ansibleSettings,
  checkAnsibleInventory,
  checkAnsibleTemplate,
  expressionNames,
} from "./request.ts";
import { playbookResult } from "./result.ts";
import { sshPrograms } from "./ssh.ts";
import { userBase } from "./user-base.ts";
import { openVariables, secretVariables } from "./variables.ts";

/** The inventory is missing until it has been checked. */
export type AnsibleFamilyInput = Omit<AnsibleInput, "inventory"> & {
  inventory?: AnsibleInput["inventory"] | undefined;
};

const PLUGINS = ["signalman_result.py", "signalman_async.py"];

/** `ansible-playbook`, with all that it needs in files of the task's own. */
export const ansibleFamily = {
  apps: { ansible: { command: "ansible-playbook", args: [] } },
  graceMs: 10_000,
  hook: ansibleHook,
  probeEnvironment: userBase,
  settings: ansibleSettings,
  overrides: ANSIBLE_OVERRIDES,
  checkAsked: expressionNames,
  checkTemplate: checkAnsibleTemplate,
  checkInventory: checkAnsibleInventory,
  async prepare(asked, signal) {
    const site = withInventory(asked);
    const { input, app, folder, base, commit, keys } = site;
    const { cwd, path } = scriptPlace(folder.work, input);
    const place = { root: folder.work, cwd };
    const given = galaxyEnvironment(app, input, base);
    const command = commandOf(app, input.template.app, given.PATH);
    const config = findConfig(place, given);
    const common = { ...colors(given, config), ...userBase(command), ...given };
    const paths = searchPaths(place, common, config);
    const sockets = await makeSocketFolder(folder.private);
    const galaxy = await collect(site, { command, cwd }, common, signal);
    const files: AnsibleFiles = {
      playbook: path,
      inventory: await placeInventory(site, signal),
      variables: (await keys.file("variables.yml", openVariables(input, commit))).path,
      vaults: [],
    };
    const secrets = secretVariables(input);
    if (secrets) files.secretVariables = (await keys.file("secret-variables.yml", secrets)).path;
    const { agent, ...passwords } = await installKeys(keys, input, folder.work, signal);
    const env = playbookEnvironment(common, input, paths, {
      callback: await placePlugins(folder),
      galaxy,
      sockets,
      ssh: await sshPrograms(keys, site.ssh),
      agent,
    });
    const args = [...app.args, ...ansibleArguments(input, { ...files, ...passwords })];
    return { command, args, cwd, env };
  },
  result: ({ report }, { mask }) => playbookResult(report, mask),
} satisfies Family<AnsibleFamilyInput>;

function withInventory(site: Site<AnsibleFamilyInput>): Site<AnsibleInput> {
  const { input } = site;
  const { inventory } = input;
  if (inventory) return { ...site, input: { ...input, inventory } };
  throw new PrepareError(
    `Cannot run ${input.template.path}: Ansible needs an inventory; set one in the template`,
  );
}

/** Private sources are opened by the repository's own key, for as long as Galaxy runs. */
async function collect(
  site: Site<AnsibleInput>,
  { command, cwd }: { command: string; cwd: string },
  env: Record<string, string>,
  signal: AbortSignal,
): Promise<GalaxyFolders | undefined> {
  const { input, folder, marker, say } = site;
  await using git = await gitEnvironment(site, input, signal);
  const options = {
    command: galaxyBeside(command, env.PATH),
    place: { root: folder.work, cwd },
    playbook: input.template.path,
    cache: site.galaxyCache,
    own: folder.private,
    env: { ...env, ...git.env },
    key: input.repositoryKey.name,
    refresh: input.ansible.refreshRequirements,
    marker,
    say,
  };
  return await bringFromGalaxy(options, signal);
}

function galaxyBeside(playbook: string, path = ""): string {
  const found = findProgram({ command: "ansible-galaxy" }, `${dirname(playbook)}:${path}`);
  if (found) return found;
  throw new PrepareError(
    `Cannot install what the repository requires: there is no ansible-galaxy on this server`,
  );
}

/** The one that reports writes beside itself. */
async function placePlugins(folder: TaskFolder): Promise<string> {
  const place = dirname(folder.report);
  await mkdir(place, { mode: 0o700 });
  for (const name of PLUGINS)
    await copyFile(fileURLToPath(new URL(name, import.meta.url)), join(place, name));
  return place;
}
