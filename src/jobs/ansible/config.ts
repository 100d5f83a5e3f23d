import { dirname, join, resolve } from "node:path";
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

/** The first ansible.cfg that Ansible's programs read. */
export async function findConfig(
  work: string,
  env: Readonly<Record<string, string>>,
): Promise<{ file: string; text: string } | undefined> {
  const places = [
    env.ANSIBLE_CONFIG,
    join(work, OWN),
    join(env.HOME ?? "", ".ansible.cfg"),
    "/etc/ansible/ansible.cfg",
  ];
  for (const place of places) {
    if (!place) continue;
    const file = resolve(work, place);
    const text = file === join(work, OWN) ? readRepositoryFile(work, OWN) : readForeign(file);
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
export async function searchPaths(work: string, env: Readonly<Record<string, string>>): Promise<SearchPaths> {
  const { HOME: home = "" } = env;
  const config = await findConfig(work, env);
  const find = ({ variables, keys, otherwise }: (typeof SETTINGS)[keyof SearchPaths]) => {
    const set = variables.map((name) => env[name]).find((value) => value);
    const said = keys.map((key) => config && valueIn(config.text, key)).find((value) => value);
    // A path in the file starts at the file.
    const absolute = said
      ?.split(":")
      .map((path) => place(path, dirname(config?.file ?? ""), home))
      .join(":");
    return set ?? absolute ?? otherwise.replaceAll("{home}", home);
  };
  return {
    callbackPlugins: find(SETTINGS.callbackPlugins),
    roles: find(SETTINGS.roles),
    collections: find(SETTINGS.collections),
  };
}

function place(path: string, folder: string, home: string): string {
  return resolve(
    folder,
    path
      .trim()
      .replace(/^~(?=\/|$)/, home)
      .replaceAll("{{CWD}}", folder),
  );
}

/** A value of the section [defaults]. */
function valueIn(text: string, key: string): string | undefined {
  const section = text.split(/^(?=\[)/m).find((part) => part.startsWith("[defaults]")) ?? "";
  return new RegExp(`^${key}[ \\t]*[=:][ \\t]*(.*?)[ \\t]*(?:[ \\t]+[;#].*)?$`, "m").exec(section)?.[1];
}
