import { dirname, join, relative, resolve } from "node:path";
import { readRegular } from "../../files/regular-file.ts";
import { readRepositoryFile } from "../local/repository-file.ts";

/** Search paths of ansible.cfg to which we add places of ours; each with its variable and Ansible's own default. */
export interface SearchPaths {
  callbackPlugins: string;
  roles: string;
  collections: string;
}

const SETTINGS = {
  callbackPlugins: {
    variables: ["ANSIBLE_CALLBACK_PLUGINS"],
    keys: ["callback_plugins"],
    otherwise: "{home}/.ansible/plugins/callback:/usr/share/ansible/plugins/callback",
  },
  roles: {
    variables: ["ANSIBLE_ROLES_PATH"],
    keys: ["roles_path"],
    otherwise: "{home}/.ansible/roles:/usr/share/ansible/roles:/etc/ansible/roles",
  },
  collections: {
    variables: ["ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_COLLECTIONS_PATHS"],
    keys: ["collections_path", "collections_paths"],
    otherwise: "{home}/.ansible/collections:/usr/share/ansible/collections",
  },
} as const satisfies Record<keyof SearchPaths, object>;

/** The repository's root, and the folder in it where Ansible runs, by absolute paths. */
export interface Place {
  root: string;
  cwd: string;
}

export interface AnsibleConfig {
  file: string;
  text: string;
}

type Env = Readonly<Record<string, string>>;

/** The first ansible.cfg that Ansible's programs read. */
export function findConfig({ root, cwd }: Place, env: Env): AnsibleConfig | undefined {
  const own = join(cwd, OWN);
  const places = [env.ANSIBLE_CONFIG, own, join(env.HOME ?? "", ".ansible.cfg"), "/etc/ansible/ansible.cfg"];
  for (const place of places) {
    if (!place) continue;
    const file = resolve(cwd, place);
    const text = file === own ? readRepositoryFile(root, relative(root, own)) : readForeign(file);
    if (text !== undefined) return { file, text };
  }
  return undefined;
}

const OWN = "ansible.cfg";

/** Whatever cannot be read is for Ansible to explain. */
function readForeign(file: string): string | undefined {
  try {
    return readRegular(file, { maxBytes: 16 * 1024 * 1024, links: "followed" })?.toString("utf8");
  } catch {
    return undefined;
  }
}

/** Where Ansible would look: what the environment says, else the first ansible.cfg that it reads, else its default. */
export function searchPaths({ cwd }: Place, env: Env, config: AnsibleConfig | undefined): SearchPaths {
  const { HOME: home = "" } = env;
  const find = ({ variables, keys, otherwise }: (typeof SETTINGS)[keyof SearchPaths]) => {
    const set = variables.map((name) => env[name]).find((value) => value);
    const said = keys.map((key) => config && valueIn(config.text, key)).find((value) => value);
    // A path in the file starts at the file.
    const absolute = said
      ?.split(":")
      .map((path) => expand(path, { folder: dirname(config?.file ?? ""), cwd, env }))
      .join(":");
    return set ?? absolute ?? otherwise.replaceAll("{home}", home);
  };
  return {
    callbackPlugins: find(SETTINGS.callbackPlugins),
    roles: find(SETTINGS.roles),
    collections: find(SETTINGS.collections),
  };
}

/** Colors, unless the environment or ansible.cfg say something of them: Ansible's switch for them counts before those. */
export function colors(env: Env, config: AnsibleConfig | undefined): Env {
  const noColor = env.ANSIBLE_NOCOLOR ?? (config && valueIn(config.text, "nocolor")) ?? "";
  const isForced = config && valueIn(config.text, "force_color") !== undefined;
  return env.NO_COLOR || TRUE.test(noColor) || isForced ? {} : { ANSIBLE_FORCE_COLOR: "True" };
}

/** As Ansible reads a boolean. */
const TRUE = /^(y|yes|on|1|true|t)$/i;

/** As Ansible does: its own `{{CWD}}`, variables of the environment, `~`. */
function expand(path: string, { folder, cwd, env }: { folder: string; cwd: string; env: Env }): string {
  const known: Env = { ...env, PWD: cwd };
  const told = path
    .trim()
    .replaceAll("{{CWD}}", cwd)
    .replace(/\$(?:(\w+)|\{([^}]*)\})/g, (whole, name, braced) => known[name ?? braced] ?? whole)
    .replace(/^~(?=\/|$)/, env.HOME ?? "~");
  return resolve(folder, told);
}

/** A value of the section [defaults]. Keys have no case, and only `;` begins a comment behind a value. */
function valueIn(text: string, key: string): string | undefined {
  const section = text.split(/^(?=\[)/m).find((part) => part.startsWith("[defaults]")) ?? "";
  return new RegExp(`^${key}[ \\t]*[=:][ \\t]*(.*?)[ \\t]*(?:[ \\t];.*)?\\r?$`, "im").exec(section)?.[1];
}
