import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, test } from "vitest";
import { LogStream } from "../../gen/signalman/v1/task_pb.ts";
import { aliveOf } from "../faults/traces.ts";
import { hasTerraform } from "../jobs/families/terraform/project.ts";
import { hasAnsible, hasProgram, NO_ANSIBLE } from "../support/ansible.ts";
import { bytesOf, endOf, runDemo, watchToEnd } from "../support/demo.ts";
import { type GitHttp, startGitHttp } from "../support/git-http.ts";
import type { TestService } from "../support/service.ts";
import { hasSshd, makeSshKey, type Sshd, startSshd } from "../support/sshd.ts";
import { chains, startIsolated, tellMissing, testRoot } from "./server.ts";
import { applyTools, LFS_FILES } from "./tools.ts";

/*
 * Programs that people run by tasks, in namespaces, as a user who is not root: they install packages, start processes of their own, and
 * call servers.
 */

tellMissing();

const has = (command: string, ...args: string[]) =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0;
const missing = (command: string, isThere = hasProgram(command)) =>
  isThere ? undefined : `${command} is not installed (tools/install-test-tools.sh)`;

/** What each task prints, and why it cannot run here. */
const TOOLS: Record<string, { says: string[]; problem?: string | undefined }> = {
  venv: {
    says: ["installed by pip"],
    problem: has("python3", "-c", "import ensurepip")
      ? undefined
      : "python3 has no venv (apt-get install python3-venv)",
  },
  npm: { says: ["installed by npm"], problem: missing("npm") },
  make: { says: ["made one by", "made two by"], problem: missing("make") },
  git: {
    says: ["from LFS", "from a submodule", "Add the submodule"],
    problem: missing("git-lfs", has("git", "lfs", "version")),
  },
  hooks: { says: ["from a hook before", "from the task", "from a hook after"] },
  ansible: {
    says: ["role on here", ...(hasSshd ? ["role on far"] : [])],
    problem: hasAnsible ? undefined : NO_ANSIBLE,
  },
  terraform: {
    says: ['text = "hello"'],
    // The provider is run from the checkout.
    problem: import.meta.filename.startsWith("/tmp/")
      ? "isolated programs do not see a checkout below /tmp"
      : missing("terraform", hasTerraform()),
  },
};

let folder: string;
let git: GitHttp;
let sshd: Sshd | undefined;
const key = makeSshKey();
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "signalman-tools-"));
  mkdirSync(join(folder, "served"));
  git = await startGitHttp({ root: join(folder, "served"), files: LFS_FILES });
  if (hasSshd) sshd = await startSshd({ authorized: [key.publicKey] });
});
afterAll(async () => {
  await git?.[Symbol.asyncDispose]();
  await sshd?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
  testRoot.remove();
});

describe.each(chains)("In namespaces by $name, tasks work that use", (chain) => {
  let service: TestService;
  beforeAll(async () => {
    service = await startIsolated(chain);
    await applyTools(service, { git: git.url, served: join(folder, "served"), sshd, key, folder });
  });
  afterAll(() => service?.[Symbol.asyncDispose]());

  test.concurrent.for(Object.entries(TOOLS))(
    "%s",
    async ([template, { says, problem }], { skip, expect }) => {
      if (problem) skip(problem);
      const { name } = await runDemo(service, template);
      const events = await watchToEnd(service, name);
      const text = (stream: LogStream) => stripVTControlCharacters(bytesOf(events, stream).toString());
      const said = [LogStream.STDOUT, LogStream.STDERR, LogStream.SYSTEM].map(text).join("\n");
      expect(endOf(events).end, said).toMatchObject({ exitCode: 0, message: "" });
      for (const words of says) expect(said).toContain(words);
      expect(aliveOf({ name })).toEqual([]);
    },
  );
});
