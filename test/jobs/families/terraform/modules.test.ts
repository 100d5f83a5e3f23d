import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { CatalogService } from "../../../../gen/signalman/v1/catalog_service_pb.ts";
import { TaskService } from "../../../../gen/signalman/v1/task_service_pb.ts";
import { endOf, follow } from "../../../faults/follow.ts";
import { aliveOf, leavesNothing } from "../../../faults/traces.ts";
import { makeRepository } from "../../../git/repository.ts";
import { type GitHttp, startGitHttp } from "../../../support/git-http.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { hasSshd, makeSshKey, NO_SSHD, type Sshd, startSshd } from "../../../support/sshd.ts";
import { needsTerraform } from "./project.ts";

const login = { login: "bot", password: "s3cret-pass" };

let service: TestService;
let root: string;
let http: GitHttp;
let sshd: Sshd | undefined;

/** A bare repository with one file. */
function serve(name: string, text: string): void {
  using made = makeRepository();
  made.commit("main.tf", text);
  cpSync(join(made.path, ".git"), join(root, name), { recursive: true });
}

beforeAll(async () => {
  service = await startService();
  root = mkdtempSync(join(tmpdir(), "signalman-modules-"));
  mkdirSync(join(root, "modules"));
  http = await startGitHttp({ root, login });
  const key = makeSshKey();
  if (hasSshd) sshd = await startSshd({ authorized: [key.publicKey] });
  serve("module.git", 'output "m" { value = "from the module" }\n');
  const uses = (url: string) =>
    `module "m" { source = "git::${url}/module.git" }\noutput "m" { value = module.m.m }\n`;
  const ssh = `ssh://${sshd?.user}@127.0.0.1:${sshd?.port}${root}`;
  serve("http.git", uses(http.url));
  serve("ssh.git", uses(ssh));
  await service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "demo" },
      accessKeys: [
        { name: "http", kind: { case: "loginPassword", value: login } },
        { name: "ssh", kind: { case: "ssh", value: { privateKey: key.privateKey } } },
      ],
      repositories: [
        { name: "http", url: `${http.url}/http.git`, accessKey: "http" },
        { name: "ssh", url: `${ssh}/ssh.git`, accessKey: "ssh" },
      ],
      templates: ["http", "ssh"].map((name) => ({ name, app: "terraform", repository: name, path: "." })),
    },
  });
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await http?.[Symbol.asyncDispose]();
  await sshd?.[Symbol.asyncDispose]();
  if (root) rmSync(root, { recursive: true });
});
beforeEach(needsTerraform);

test.for(["http", "ssh"])(
  "modules from the private server of the repository come with its key, by %s",
  async (by, { skip }) => {
    if (by === "ssh" && !hasSshd) skip(NO_SSHD);
    const { task } = await service.client(TaskService).runTask({ template: `projects/demo/templates/${by}` });
    const name = task?.name ?? "";
    using watcher = follow(service, name);
    await watcher.reaches("WAITING_CONFIRMATION");
    expect(watcher.text()).toContain("from the module");
    // Neither an agent nor a file with the password outlives the first program.
    expect(aliveOf({ name })).toEqual([]);
    const { task: waiting } = await service.client(TaskService).getTask({ name });
    await service.client(TaskService).confirmTask({ name, planDigest: waiting?.plan?.digest ?? "" });
    expect(endOf(await watcher.ended)).toMatchObject({ status: "SUCCESS" });
    expect(watcher.text()).not.toContain(login.password);
    await leavesNothing(service, { name });
  },
);
