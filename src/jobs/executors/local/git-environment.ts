import { type Reach, reach } from "../../../git/access.ts";
import { parseRemote } from "../../../git/remote-url.ts";
import { sshOptions } from "../../../git/ssh-options.ts";
import type { AccessKey } from "../../../keys/access-key.ts";
import { shellWord } from "../../../process/shell-word.ts";
import type { Site } from "../../families/family.ts";
import { openAccess } from "./git-access.ts";

/** Environment variables for programs that call git themselves, valid until it is disposed. */
export interface GitEnvironment extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Returns an environment in which git fetches with the repository's access key: over SSH from any host, over HTTP only from
 * the repository's host. SSH host keys are checked as for the server's own fetches, and git asks for nothing.
 * @throws PrepareError if the key cannot be used; the signal's reason.
 */
export async function gitEnvironment(
  { keys, ssh }: Pick<Site<unknown>, "keys" | "ssh">,
  { repository, repositoryKey }: { repository: { url: string }; repositoryKey: AccessKey },
  signal: AbortSignal,
): Promise<GitEnvironment> {
  const remote = parseRemote(repository.url);
  const plain = {
    GIT_TERMINAL_PROMPT: "0",
    GIT_SSH_COMMAND: ["ssh", ...sshOptions(ssh)].map(shellWord).join(" "),
  };
  if (!remote) return { env: plain, async [Symbol.asyncDispose]() {} };
  const open = await openAccess(keys, repositoryKey, remote, signal);
  return {
    env: { ...plain, ...asEnvironment(reach(remote, open.access, ssh)) },
    [Symbol.asyncDispose]: () => open[Symbol.asyncDispose](),
  };
}

/**
 * Returns the variables of `gitEnvironment` for the task's own program. The key stays usable until the program has ended and
 * the task's private folder is removed. Variables of the template's environment override them.
 * @throws as `gitEnvironment` does.
 */
export async function lastingGitEnvironment(
  site: Pick<
    Site<Parameters<typeof gitEnvironment>[1] & { env: Readonly<Record<string, string>> }>,
    "keys" | "ssh" | "input"
  >,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const { env } = await gitEnvironment(site, site.input, signal);
  const isSet = (name: string) => Object.hasOwn(site.input.env, name);
  if (isSet("GIT_CONFIG_COUNT")) return {};
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isSet(name)));
}

/** Returns settings as the variables GIT_CONFIG_*, from which git reads settings too. */
function asEnvironment({ config, env }: Reach): Record<string, string> {
  const settings = config.flatMap((setting, at) => {
    const [name = "", ...value] = setting.split("=");
    return [
      [`GIT_CONFIG_KEY_${at}`, name],
      [`GIT_CONFIG_VALUE_${at}`, value.join("=")],
    ];
  });
  return { ...env, GIT_CONFIG_COUNT: String(config.length), ...Object.fromEntries(settings) };
}
