import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { GitAccess } from "../../src/git/access.ts";
import { sshOptions } from "../../src/git/ssh-options.ts";
import { createInstaller } from "../../src/keys/installer.ts";
import { hasSshd, makeSshKey, NO_SSHD, type Sshd, type SshKey, startSshd } from "../support/sshd.ts";
import { makeRepository, type Repository } from "./repository.ts";
import { makeScene } from "./scene.ts";

const never = new AbortController().signal;

describe("by SSH", () => {
  let sshd: Sshd;
  let key: SshKey;
  beforeAll(async () => {
    if (!hasSshd) return;
    key = makeSshKey("its passphrase");
    sshd = await startSshd({ authorized: [key.publicKey] });
  });
  afterAll(() => sshd?.[Symbol.asyncDispose]());

  let stack: AsyncDisposableStack;
  let repo: Repository;
  let scene: ReturnType<typeof makeScene>;
  beforeEach((context) => {
    if (!hasSshd) context.skip(NO_SSHD);
    stack = new AsyncDisposableStack();
    repo = stack.use(makeRepository());
    scene = stack.use(makeScene());
    repo.commit("a", "1");
    scene.publish(repo, "app.git");
  });
  afterEach(() => stack?.disposeAsync());

  const urlOf = (port = sshd.port, user = `${sshd.user}@`) =>
    `ssh://${user}127.0.0.1:${port}${scene.served}/app.git`;

  async function agent(from = key, login = ""): Promise<GitAccess> {
    const installer = createInstaller({ folder: scene.root, marker: "m", path: process.env.PATH ?? "" });
    const passphrase = from === key ? "its passphrase" : "";
    const material = { kind: "ssh", name: "ci", login, privateKey: from.privateKey, passphrase } as const;
    const running = stack.use(await installer.agent("git", material, never));
    return { kind: "agent", socket: running.socket, login };
  }

  test("a repository is cloned with the agent's key, and the host's key is stored", async () => {
    const made = await scene.checkOut(urlOf(), { access: await agent() });
    expect(made.read("a")).toBe("1");
    expect(readFileSync(join(scene.data, "known_hosts"), "utf8")).toMatch(/^\[127.0.0.1\]:\d+ ssh-ed25519 /);
  });

  test("the login is that of the access key, or else that of the URL", async () => {
    await scene.checkOut(urlOf(sshd.port, "nobody@"), { access: await agent(key, sshd.user) });
    await scene.checkOut(urlOf(), { access: await agent() });
    const told = await scene.refusal(urlOf(), { access: await agent(key, "nobody-of-that-name") });
    expect(told).toMatch(/refused the access key.*nobody-of-that-name@127.0.0.1: Permission denied/);
  });

  test("a refused access key and a missing one are explained", async () => {
    const sentence =
      /^Cannot fetch ssh:\S+: 127.0.0.1:\d+ refused the access key, or the repository names none \(.*Permission denied/;
    expect(await scene.refusal(urlOf(), { access: await agent(makeSshKey()) })).toMatch(sentence);
    expect(await scene.refusal(urlOf())).toMatch(sentence);
  });

  test("a repository that does not exist is explained", async () => {
    expect(await scene.refusal(`${urlOf()}-none`, { access: await agent() })).toMatch(
      /: there is no such repository, or the access key may not read it \(fatal: '.*' does not appear to be a git repository/,
    );
  });

  test("an unknown host is refused if host keys are checked strictly", async () => {
    using strict = makeScene({ hostKeys: "strict" });
    expect(await strict.refusal(urlOf(), { access: await agent() })).toMatch(
      /: the host key of 127.0.0.1:\d+ is not known. Add it to the file of known hosts/,
    );
  });

  test("weakness 18: a host whose key has changed is refused, unless the check of host keys is off", async () => {
    const access = await agent();
    const first = await startSshd({ authorized: [key.publicKey] });
    await scene.checkOut(urlOf(first.port), { access });
    await first[Symbol.asyncDispose]();
    stack.use(await startSshd({ authorized: [key.publicKey], port: first.port }));
    expect(await scene.refusal(urlOf(first.port), { access })).toMatch(
      /: the host key of 127.0.0.1:\d+ differs from the known one/,
    );
    using careless = makeScene({ hostKeys: "off" });
    expect((await careless.checkOut(urlOf(first.port), { access })).read("a")).toBe("1");
  });

  test("a host that never answers times out", async () => {
    using impatient = makeScene({ idleMs: 500 });
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    expect(await impatient.refusal(urlOf(port), { access: await agent() })).toMatch(
      /: 127.0.0.1:\d+ did not answer in time \(git printed nothing for 0.5 s\)/,
    );
    silent.close();
  });
});

test("options for ssh name the file of known hosts, with any characters in its path", () => {
  const options = sshOptions({ hostKeys: "accept-new", knownHosts: "/a b/50%/hosts" });
  expect(options).toContain('UserKnownHostsFile="/a b/50%%/hosts"');
  expect(options).toContain("BatchMode=yes");
  expect(options).toContain("StrictHostKeyChecking=accept-new");
  expect(sshOptions({ hostKeys: "strict", knownHosts: "/x" })).toContain("StrictHostKeyChecking=yes");
  expect(sshOptions({ hostKeys: "off", knownHosts: "/x" })).toContain("UserKnownHostsFile=/dev/null");
});
