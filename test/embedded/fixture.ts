import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface Fixture<Said> {
  readonly child: ChildProcess;
  /** First line of its output, parsed. */
  readonly said: Promise<Said>;
  /** Exit code or signal. */
  readonly ended: Promise<number | string>;
}

/** Starts a Node process in a separate session that runs `fixtures/<name>`. */
export function runFixture<Said>(name: string, ...args: string[]): Fixture<Said> {
  const program = fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
  const child = spawn(process.execPath, [program, ...args], {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit").then(([code, signal]) => (code ?? signal) as number | string);
  const line = once(createInterface(child.stdout), "line").then(([text]) => JSON.parse(text) as Said);
  const failed = ended.then((how) => {
    throw new Error(`${name} said nothing and ended with ${how}`);
  });
  const said = Promise.race([line, failed]);
  said.catch(() => {});
  return { child, said, ended };
}

export async function kill9(fixture: Fixture<unknown>): Promise<void> {
  fixture.child.kill("SIGKILL");
  await fixture.ended;
}
