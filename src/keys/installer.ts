import { join } from "node:path";
import { removeFile, writeNew } from "../files/owned.ts";
import { removeTree } from "../process/remove-tree.ts";
import { PrepareError } from "../task/errors.ts";
import type { AccessKey } from "./access-key.ts";
import { type Agent, startAgent } from "./agent.ts";
import { type KeyFolder, makePrivate } from "./key-folder.ts";
import { dropSocketFolder } from "./socket-folder.ts";

/** A file that disposing removes. */
export interface Installed extends AsyncDisposable {
  readonly path: string;
}

/**
 * Makes a task's access keys usable for its programs, never through arguments or the environment. Disposing removes an
 * install. Installs that are used by a program that outlives this server are removed with the task's folder
 * (`removeInstalls`). `purpose` and `name` are file names, each used by one install at a time.
 */
export interface AccessKeyInstaller {
  /** Starts an ssh-agent with the key. @throws PrepareError if the key is no SSH key, or cannot be used; the signal's reason. */
  agent(purpose: string, key: AccessKey, signal: AbortSignal): Promise<Agent>;
  /** Installs a file that only this user can read. */
  file(name: string, content: string): Promise<Installed>;
  /** Installs a program that only this user can run. */
  program(name: string, text: string): Promise<Installed>;
  /** Installs a program for GIT_ASKPASS or SSH_ASKPASS: it answers the question for a user name, and every other one. */
  askpass(purpose: string, answers: { login: string; password: string }): Promise<Installed>;
}

const ASKPASS = `#!/bin/sh
case $1 in
  [Uu]sername*) exec cat "$0.login" ;;
  *) exec cat "$0.password" ;;
esac
`;

export function createInstaller(place: KeyFolder): AccessKeyInstaller {
  const write = async (name: string, content: string, mode = 0o600): Promise<Installed> => {
    makePrivate(place.folder, place.user);
    const path = join(place.folder, name);
    // A file that an earlier server left is removed first: its permissions may allow other users to read it.
    removeFile(path);
    writeNew(path, content, place.user, mode);
    return { path, [Symbol.asyncDispose]: async () => removeFile(path) };
  };
  return {
    async agent(purpose, key, signal) {
      if (key.kind === "ssh") return startAgent(place, purpose, key, signal);
      throw new PrepareError(`Cannot log in by SSH with ${key.name}: it is of type ${key.kind}, not ssh`);
    },
    file: (name, content) => write(name, content),
    program: (name, text) => write(name, text, 0o700),
    async askpass(purpose, { login, password }) {
      await using stack = new AsyncDisposableStack();
      const name = `askpass-${purpose}`;
      stack.use(await write(`${name}.login`, `${login}\n`));
      stack.use(await write(`${name}.password`, `${password}\n`));
      const { path } = stack.use(await write(name, ASKPASS, 0o700));
      const owned = stack.move();
      return { path, [Symbol.asyncDispose]: () => owned.disposeAsync() };
    },
  };
}

/** Removes all installs in the folder, of earlier servers too. The task's processes must have ended. */
export async function removeInstalls(folder: string): Promise<void> {
  await dropSocketFolder(folder);
  await removeTree(folder);
}
