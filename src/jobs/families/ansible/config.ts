import { dirname, join, relative, resolve } from "node:path";
import type { Owner } from "../../../files/owned.ts";
import { readRegular } from "../../../files/regular-file.ts";
import { readRepositoryFile } from "../../executors/local/repository-file.ts";

/** Ansible's search paths to which Signalman adds folders. */
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

/** Absolute paths of the repository's root and of the folder in it where Ansible runs. */
export interface PlaybookPaths {
  root: string;
  cwd: string;
  /** User as whom Ansible runs; undefined: the server's. */
  owner?: Owner | undefined;
}

export interface AnsibleConfig {
  file: string;
  text: string;
}

type Env = Readonly<Record<string, string>>;

/** Returns the ansible.cfg that Ansible would use, the first one found in Ansible's order; undefined: there is none. */
export function findConfig({ root, cwd, owner }: PlaybookPaths, env: Env): AnsibleConfig | undefined {
  const own = join(cwd, OWN);
  const places = [env.ANSIBLE_CONFIG, own, join(env.HOME ?? "", ".ansible.cfg"), "/etc/ansible/ansible.cfg"];
  for (const place of places) {
    if (!place) continue;
    const file = resolve(cwd, place);
    const text =
      file === own ? readRepositoryFile(root, relative(root, own), owner) : readForeign(file, owner);
    if (text !== undefined) return { file, text };
  }
  return undefined;
}

const OWN = "ansible.cfg";

/** Reads a configuration file outside the repository; undefined if it cannot be read, which Ansible reports itself. */
function readForeign(file: string, owner: Owner | undefined): string | undefined {
  try {
    return readRegular(file, { maxBytes: 16 * 1024 * 1024, links: "followed", owner })?.toString("utf8");
  } catch {
    return undefined;
  }
}

/** Returns the search paths that Ansible would use: from the environment, else from ansible.cfg, else Ansible's defaults. */
export function searchPaths(
  { cwd }: PlaybookPaths,
  env: Env,
  config: AnsibleConfig | undefined,
): SearchPaths {
  const { HOME: home = "" } = env;
  const find = ({ variables, keys, otherwise }: (typeof SETTINGS)[keyof SearchPaths]) => {
    const set = variables.map((name) => env[name]).find((value) => value);
    const said = keys.map((key) => config && valueIn(config.text, key)).find((value) => value);
    // Relative paths in ansible.cfg are relative to its folder.
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

/**
 * Returns the variable that turns colors on, unless the environment or ansible.cfg sets colors: ANSIBLE_FORCE_COLOR would
 * override both.
 */
export function colors(env: Env, config: AnsibleConfig | undefined): Env {
  const noColor = env.ANSIBLE_NOCOLOR ?? (config && valueIn(config.text, "nocolor")) ?? "";
  const isForced = config && valueIn(config.text, "force_color") !== undefined;
  return env.NO_COLOR || TRUE.test(noColor) || isForced ? {} : { ANSIBLE_FORCE_COLOR: "True" };
}

/** Texts that Ansible reads as true. */
const TRUE = /^(y|yes|on|1|true|t)$/i;

/** Expands a path of ansible.cfg as Ansible does: `{{CWD}}`, environment variables, `~`. */
function expand(path: string, { folder, cwd, env }: { folder: string; cwd: string; env: Env }): string {
  const known: Env = { ...env, PWD: cwd };
  const told = path
    .trim()
    .replaceAll("{{CWD}}", cwd)
    .replace(/\$(?:(\w+)|\{([^}]*)\})/g, (whole, name, braced) => known[name ?? braced] ?? whole)
    .replace(/^~(?=\/|$)/, env.HOME ?? "~");
  return resolve(folder, told);
}

/** Returns a value of the section [defaults]. Keys are case-insensitive, and only `;` begins a comment after a value. */
function valueIn(text: string, key: string): string | undefined {
  const section = text.split(/^(?=\[)/m).find((part) => part.startsWith("[defaults]")) ?? "";
  return new RegExp(`^${key}[ \\t]*[=:][ \\t]*(.*?)[ \\t]*(?:[ \\t];.*)?\\r?$`, "im").exec(section)?.[1];
}
