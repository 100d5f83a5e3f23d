import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeFolder, writeNew } from "../../../files/owned.ts";
import { makeSocketFolder } from "../../../keys/socket-folder.ts";
import { PrepareError } from "../../../task/errors.ts";
import { findProgram } from "../../apps/find-program.ts";
import { gitEnvironment } from "../../executors/local/git-environment.ts";
import type { TaskFolder } from "../../executors/local/task-folder.ts";
import { commandOf, type Family, type Site } from "../family.ts";
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
  meaningToAnsible,
} from "./request.ts";
import { playbookResult } from "./result.ts";
import { sshPrograms } from "./ssh.ts";
import { userBase } from "./user-base.ts";
import { openVariables, secretVariables } from "./variables.ts";

/*
 * The Ansible family runs `ansible-playbook` on a template's playbook and inventory. `prepare` writes everything that the call
 * needs into files that only the task can read, so that no secret stands on the command line:
 *
 * - inventory.ts places the inventory; variables.ts and yaml.ts write the variables, in which a caller's text is never
 *   evaluated as a Jinja expression;
 * - install-keys.ts makes SSH keys, become and vault passwords usable for as long as the task runs;
 * - galaxy.ts installs the roles and collections that the repository requires, from a cache shared by all tasks;
 * - config.ts and environment.ts add Signalman's folders to the search paths of the repository's ansible.cfg.
 *
 * Signalman's settings are defaults: ansible.cfg, inventory and variables of the user override them. The callback plugin
 * signalman_result.py reports hosts and failures, and result.ts reads its report.
 */

/** Input of the family; `inventory` is undefined until `prepare` has checked that the template names one. */
export type AnsibleFamilyInput = Omit<AnsibleInput, "inventory"> & {
  inventory?: AnsibleInput["inventory"] | undefined;
};

const PLUGINS = ["signalman_result.py", "signalman_home.py"];

/** The family of the app `ansible`. */
export const ansibleFamily = {
  apps: { ansible: { command: "ansible-playbook", args: [] } },
  graceMs: 10_000,
  hook: ansibleHook,
  probeEnvironment: userBase,
  settings: ansibleSettings,
  overrides: ANSIBLE_OVERRIDES,
  special: meaningToAnsible,
  checkAsked: expressionNames,
  checkTemplate: checkAnsibleTemplate,
  checkInventory: checkAnsibleInventory,
  async prepare(asked, signal) {
    const site = withInventory(asked);
    const { input, app, folder, base, commit, keys } = site;
    const { cwd, path } = scriptPlace(folder.work, input);
    const place = { root: folder.work, cwd, owner: folder.owner };
    const given = galaxyEnvironment(app, input, base);
    const command = commandOf(app, input.template.app, given.PATH);
    const config = findConfig(place, given);
    const common = { ...colors(given, config), ...userBase(command), ...given };
    const paths = searchPaths(place, common, config);
    const sockets = await makeSocketFolder(folder.private, folder.owner);
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
      callback: placePlugins(folder),
      galaxy,
      sockets,
      ssh: await sshPrograms(keys, site.ssh),
      agent,
    });
    const args = [...app.args, ...ansibleArguments(input, { ...files, ...passwords })];
    return { command, args, cwd, env };
  },
  result: (folder, { mask }) => playbookResult(folder, mask),
} satisfies Family<AnsibleFamilyInput>;

function withInventory(site: Site<AnsibleFamilyInput>): Site<AnsibleInput> {
  const { input } = site;
  const { inventory } = input;
  if (inventory) return { ...site, input: { ...input, inventory } };
  throw new PrepareError(
    `Cannot run ${input.template.path}: Ansible needs an inventory; set one in the template`,
  );
}

/** Installs what the repository requires from Galaxy. The repository's access key opens private sources while Galaxy runs. */
async function collect(
  site: Site<AnsibleInput>,
  { command, cwd }: { command: string; cwd: string },
  env: Record<string, string>,
  signal: AbortSignal,
): Promise<GalaxyFolders | undefined> {
  const { input, folder, marker, enclose, say } = site;
  await using git = await gitEnvironment(site, input, signal);
  const options = {
    command: galaxyBeside(command, env.PATH),
    place: { root: folder.work, cwd, owner: folder.owner },
    playbook: input.template.path,
    cache: site.galaxyCache,
    own: folder.private,
    env: { ...env, ...git.env },
    key: input.repositoryKey.name,
    refresh: input.ansible.refreshRequirements,
    marker,
    enclose,
    say,
  };
  const folders = await bringFromGalaxy(options, signal);
  if (folders) site.onSource(dirname(folders.roles));
  return folders;
}

function galaxyBeside(playbook: string, path = ""): string {
  const found = findProgram({ command: "ansible-galaxy" }, `${dirname(playbook)}:${path}`);
  if (found) return found;
  throw new PrepareError(
    `Cannot install the roles and collections that the repository requires: there is no ansible-galaxy beside ${playbook} or in PATH; install it`,
  );
}

/** Copies the callback plugins into the folder of the report, since signalman_result.py writes the report beside itself. */
function placePlugins({ report, owner }: TaskFolder): string {
  const place = dirname(report);
  makeFolder(place, owner);
  for (const name of PLUGINS)
    writeNew(join(place, name), readFileSync(new URL(name, import.meta.url)), owner);
  return place;
}
