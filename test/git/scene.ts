import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GitAccess } from "../../src/git/access.ts";
import type { CheckOut } from "../../src/git/check-out.ts";
import { parseRemote } from "../../src/git/remote-url.ts";
import { PrepareError } from "../../src/task/errors.ts";
import { makeGit, PLAIN } from "./make-git.ts";
import type { Repository } from "./repository.ts";

export type Options = Partial<Omit<CheckOut, "source">> & { signal?: AbortSignal };

/** Makes the folders of one test: repositories to serve, a server's data, workspaces. */
export function makeScene(choices: Parameters<typeof makeGit>[1] = {}) {
  const root = mkdtempSync(join(tmpdir(), "signalman-scene-"));
  const served = join(root, "served");
  const data = join(root, "data");
  mkdirSync(served);
  const git = makeGit(data, choices);
  let workspaces = 0;
  const scene = {
    root,
    served,
    data,
    mirrors: join(data, "mirrors"),
    /** Serves the present state of a repository under that name. */
    publish(repository: Repository, name: string) {
      const path = join(served, name);
      rmSync(path, { recursive: true, force: true });
      cpSync(join(repository.path, ".git"), path, { recursive: true });
      execFileSync("git", ["config", "core.bare", "true"], { cwd: path });
    },
    /** Checks out a remote as a task does. */
    async checkOut(url: string, { signal = new AbortController().signal, ...options }: Options = {}) {
      const source = parseRemote(url);
      if (!source) throw new Error(`${url} is no remote`);
      const target = join(root, `work-${++workspaces}`);
      mkdirSync(target);
      const said: string[] = [];
      const whole = { ...PLAIN, say: (text: string) => void said.push(text), ...options, source, target };
      const commit = await git.checkOut(whole, signal);
      return { ...commit, target, said, read: (file: string) => readFileSync(join(target, file), "utf8") };
    },
    /** Returns the message of the failed check-out, as the task's owner reads it. */
    async refusal(url: string, options: Options = {}): Promise<string> {
      const error = await scene.checkOut(url, options).catch((e: unknown) => e);
      if (error instanceof PrepareError) return error.message;
      throw new Error(`No PrepareError but ${error}`);
    },
    removeUnused: git.removeUnused,
    /** Writes a file of credentials as the installer of access keys does. */
    credentials(login: string, password: string): GitAccess {
      const file = join(root, "credentials");
      writeFileSync(file, `username=${login}\npassword=${password}\n`, { mode: 0o600 });
      return { kind: "credentials", file };
    },
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
  return scene;
}
