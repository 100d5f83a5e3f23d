import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AccessKey } from "../../src/keys/access-key.ts";
import { createInstaller, removeInstalls } from "../../src/keys/installer.ts";
import type { KeyFolder } from "../../src/keys/key-folder.ts";
import { sweepMarked } from "../../src/process/kill-by-marker.ts";
import { scan } from "../../src/process/scan.ts";
import { PrepareError } from "../../src/task/errors.ts";
import { makeSshKey } from "../support/sshd.ts";

const never = new AbortController().signal;
const path = process.env.PATH ?? "";

let root: string;
let place: KeyFolder;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "signalman-keys-"));
  place = { folder: join(root, "private"), marker: `test-${root.slice(-6)}`, path };
  mkdirSync(place.folder, { mode: 0o700 });
});
afterEach(async () => {
  await sweepMarked(place.marker);
  await removeInstalls(place.folder);
  rmSync(root, { recursive: true });
});

function sshKey(passphrase = ""): AccessKey & { publicKey: string } {
  const { privateKey, publicKey } = makeSshKey(passphrase);
  return { name: "projects/p/accessKeys/k", kind: "ssh", login: "", privateKey, passphrase, publicKey };
}

const keysIn = (socket: string) =>
  execFileSync("ssh-add", ["-L"], { env: { PATH: path, SSH_AUTH_SOCK: socket }, stdio: "pipe" })
    .toString()
    .trim();

/** Returns command line and environment of each living process of the task. */
async function alive(): Promise<string[]> {
  const { procs, taskMarker } = await scan();
  const own = [...procs.values()].filter((proc) => !proc.dead && taskMarker(proc)?.startsWith(place.marker));
  return own.flatMap(({ pid }) =>
    ["cmdline", "environ"].map((file) => readFileSync(`/proc/${pid}/${file}`, "utf8")),
  );
}

describe("an agent", () => {
  test("holds a key, and is gone with its socket when it is disposed", async () => {
    const key = sshKey();
    const agent = await createInstaller(place).agent("git", key, never);
    expect(keysIn(agent.socket)).toContain(key.publicKey.split(" ")[1]);
    await agent[Symbol.asyncDispose]();
    expect(existsSync(agent.socket)).toBe(false);
    expect(await alive()).toEqual([]);
  });

  test("opens a key by its passphrase, which is not visible to other processes, and leaves no file behind", async () => {
    const key = sshKey("open sesame");
    await using agent = await createInstaller(place).agent("git", key, never);
    expect(keysIn(agent.socket)).toContain(key.publicKey.split(" ")[1]);
    const seen = (await alive()).join("\n");
    expect(seen).toContain("ssh-agent");
    expect(seen).not.toContain("open sesame");
    expect(seen).not.toContain("PRIVATE KEY");
    expect(readdirSync(place.folder).filter((name) => name !== "s")).toEqual([]);
  });

  test("accepts a key with Windows line ends, and one without a final line end", async () => {
    const key = sshKey();
    if (key.kind !== "ssh") throw new Error("no key");
    const installer = createInstaller(place);
    const windows = { ...key, privateKey: key.privateKey.replaceAll("\n", "\r\n") };
    await using one = await installer.agent("one", windows, never);
    await using other = await installer.agent("other", { ...key, privateKey: key.privateKey.trim() }, never);
    expect(keysIn(one.socket)).toBe(keysIn(other.socket));
  });

  test("weakness 24: has a socket address that is short enough for any data folder", async () => {
    const deep = join(root, "a".repeat(100));
    place = { ...place, folder: join(deep, "private") };
    mkdirSync(place.folder, { recursive: true, mode: 0o700 });
    const agent = await createInstaller(place).agent("hosts", sshKey(), never);
    expect(agent.socket).toMatch(/^\/tmp\/signalman-[0-9a-f]{16}\/hosts$/);
    expect(keysIn(agent.socket)).not.toBe("");
    expect(statSync(join(agent.socket, "..")).mode & 0o777).toBe(0o700);
    await sweepMarked(place.marker);
    await removeInstalls(place.folder);
    expect(existsSync(join(agent.socket, ".."))).toBe(false);
  });

  test.each([
    [{ passphrase: "wrong" }, "its passphrase does not open its private key"],
    [{ passphrase: "" }, "its private key needs a passphrase, and the access key has none"],
    [{ privateKey: "-----BEGIN nonsense" }, "OpenSSH cannot read its private key ("],
    [{ privateKey: "" }, "it has no private key"],
  ])("refuses %j: %s", async (more, reason) => {
    const key = { ...sshKey("right"), ...more } as AccessKey;
    const refused = createInstaller(place).agent("git", key, never);
    await expect(refused).rejects.toThrow(PrepareError);
    await expect(refused).rejects.toThrow(`Cannot use projects/p/accessKeys/k: ${reason}`);
    expect(await alive()).toEqual([]);
  });

  test("refuses a key of another type", async () => {
    const key: AccessKey = { name: "projects/p/accessKeys/t", kind: "text", value: "x" };
    await expect(createInstaller(place).agent("git", key, never)).rejects.toThrow(
      "Cannot log in by SSH with projects/p/accessKeys/t: it is of type text, not ssh",
    );
  });

  test("of an earlier server is found by the task's marker and ended, although it hides its environment", async () => {
    const { socket } = await createInstaller(place).agent("git", sshKey(), never);
    await sweepMarked(place.marker);
    expect(() => keysIn(socket)).toThrow();
    expect(await alive()).toEqual([]);
  });
});

test("a file is readable by its owner only, and is removed when it is disposed", async () => {
  const file = await createInstaller(place).file("become", "pass");
  expect(readFileSync(file.path, "utf8")).toBe("pass");
  expect(statSync(file.path).mode & 0o777).toBe(0o600);
  await file[Symbol.asyncDispose]();
  expect(existsSync(file.path)).toBe(false);
});

test("a program answers git's questions with any characters in login and password", async () => {
  const answers = { login: "o'neill $HOME", password: '`id` "pass" ✓' };
  await using askpass = await createInstaller(place).askpass("git", answers);
  const ask = (question: string) => execFileSync(askpass.path, [question]).toString().trim();
  expect(ask("Username for 'https://x': ")).toBe(answers.login);
  expect(ask("Password for 'https://o@x': ")).toBe(answers.password);
});
