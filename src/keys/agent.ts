import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { removeFile, writeNew } from "../files/owned.ts";
import { type Command, runCommand } from "../process/command.ts";
import { sweepMarked } from "../process/kill-by-marker.ts";
import { taskVariable } from "../process/scan.ts";
import { asUser, switchTo } from "../process/task-user.ts";
import { PrepareError } from "../task/errors.ts";
import type { AccessKey } from "./access-key.ts";
import type { KeyFolder } from "./key-folder.ts";
import { makeSocketFolder } from "./socket-folder.ts";

export type SshAccessKey = Extract<AccessKey, { kind: "ssh" }>;

/** A running ssh-agent that holds one key. Disposing it ends it. */
export interface Agent extends AsyncDisposable {
  /** For SSH_AUTH_SOCK. */
  readonly socket: string;
}

/** Time limit for ssh-add, which takes milliseconds, or seconds for a key with many rounds (`ssh-keygen -a`). */
const ADD_MS = 30_000;

/**
 * Starts an agent that outlives this server, and gives it a key. Neither key nor passphrase is in a command line or an
 * environment; the key is never in a file, the passphrase until it has been read.
 * @throws PrepareError that says what is wrong with the key; the signal's reason.
 */
export async function startAgent(
  place: KeyFolder,
  purpose: string,
  key: SshAccessKey,
  signal: AbortSignal,
): Promise<Agent> {
  const socket = join(await makeSocketFolder(place.folder, place.user), purpose);
  const marker = `${place.marker}/agent-${purpose}`;
  const agent: Agent = {
    socket,
    async [Symbol.asyncDispose]() {
      await sweepMarked(marker);
      removeFile(socket);
    },
  };
  await using stack = new AsyncDisposableStack();
  stack.use(agent);
  await listening(place, socket, marker, signal);
  await addKey(place, socket, key, signal);
  stack.move();
  return agent;
}

/**
 * Starts the agent below a shell that carries the task's marker: the agent hides its own environment from all users but
 * root, so the sweep finds it by its parent. Resolves when the agent listens, which its first output tells.
 */
async function listening(
  place: KeyFolder,
  socket: string,
  marker: string,
  signal: AbortSignal,
): Promise<void> {
  removeFile(socket);
  const start = ["/bin/sh", "-c", 'ssh-agent -D -a "$0"; exit $?', socket];
  const [command = "", ...args] = [...(place.user ? switchTo(place.user) : []), ...start];
  const child = spawn(command, args, {
    cwd: "/",
    env: { PATH: place.path, [taskVariable]: marker },
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = once(child, "exit");
  const isListening = await Promise.race([
    once(child.stdout, "data").then(() => true),
    ended.then(() => false),
  ]);
  child.stdout.destroy();
  child.unref();
  signal.throwIfAborted();
  if (isListening) return;
  const reason = child.exitCode === 127 ? "it is not installed on this server" : `exit ${child.exitCode}`;
  throw new PrepareError(`Cannot start ssh-agent for the task's keys: ${reason}`);
}

/** Prints the passphrase and removes it. Otherwise ssh-add would ask for a wrong passphrase again without end. */
const ASKPASS = `#!/bin/sh\ncat "$0.text" && exec rm "$0.text"\n`;

async function addKey(
  place: KeyFolder,
  socket: string,
  key: SshAccessKey,
  signal: AbortSignal,
): Promise<void> {
  const askpass = `${join(place.folder, "passphrase")}-${process.hrtime.bigint()}`;
  const passphrase = `${askpass}.text`;
  await using cleanup = new AsyncDisposableStack();
  for (const path of [askpass, passphrase]) cleanup.defer(() => removeFile(path));
  writeNew(passphrase, `${key.passphrase}\n`, place.user);
  writeNew(askpass, ASKPASS, place.user, 0o700);
  const command: Command = {
    command: "ssh-add",
    args: ["-q", "-"],
    cwd: place.folder,
    env: {
      PATH: place.path,
      LC_ALL: "C",
      SSH_AUTH_SOCK: socket,
      SSH_ASKPASS: askpass,
      SSH_ASKPASS_REQUIRE: "force",
    },
    marker: place.marker,
    stdin: `${key.privateKey.replaceAll("\r\n", "\n").trim()}\n`,
    timeoutMs: ADD_MS,
    signal,
    leftovers: "spared",
    enclosure: asUser(place.user),
  };
  const { exit, stderr } = await runCommand(command);
  if (exit.kind === "code" && exit.code === 0) return;
  const wasAsked = !existsSync(passphrase);
  throw new PrepareError(`Cannot use ${key.name}: ${whyNot(key, wasAsked, stderr)}`);
}

function whyNot(key: SshAccessKey, wasAsked: boolean, stderr: string): string {
  if (key.privateKey.trim() === "") return "it has no private key";
  if (wasAsked && key.passphrase === "")
    return "its private key needs a passphrase, and the access key has none";
  if (wasAsked) return "its passphrase does not open its private key";
  return `OpenSSH cannot read its private key (${stderr.trim().split("\n").at(-1)})`;
}
