import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { SIGNALMAN } from "../support/program.ts";

export interface Cli {
  readonly child: ChildProcess;
  /** Output so far. stderr lacks the message that the command waits for the server, which depends on the load. */
  readonly stdout: Buffer;
  readonly stderr: string;
  /** Resolves when a stream has shown the text (again) since `from`; rejects if the process ends without it. */
  shows(stream: "stdout" | "stderr", text: string | RegExp): Promise<void>;
  /** Resolves with the exit code, or the signal's name, when the process has ended and all has been read. */
  readonly ended: Promise<number | string>;
}

export interface CliOptions {
  server?: string;
  env?: Record<string, string>;
  input?: string | Uint8Array;
  keepStdin?: boolean;
  /** The test reads stdout itself. */
  ownStdout?: boolean;
}

/** Starts the command line in a process, as a user does. */
export function startCli(args: readonly string[], options?: CliOptions): Cli {
  return startProgram([process.execPath, SIGNALMAN, ...args], options);
}

export function startProgram([program = "", ...args]: readonly string[], options: CliOptions = {}): Cli {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...options.env };
  const server = options.server ? { SIGNALMAN_SERVER: options.server } : {};
  const child = spawn(program, args, { env: { ...env, ...server } });
  if (!options.keepStdin) child.stdin.end(options.input ?? "");
  const parts: Record<"stdout" | "stderr", Buffer[]> = { stdout: [], stderr: [] };
  const read = (stream: "stdout" | "stderr") => Buffer.concat(parts[stream]);
  if (!options.ownStdout) child.stdout.on("data", (data) => parts.stdout.push(data));
  child.stderr.on("data", (data) => parts.stderr.push(data));
  const over = options.ownStdout ? "exit" : "close";
  const ended = once(child, over).then(([code, signal]) => (code ?? signal) as number | string);
  return {
    child,
    ended,
    get stdout() {
      return read("stdout");
    },
    get stderr() {
      return read("stderr")
        .toString()
        .replace(/^signalman: waiting for \S+: no answer yet\n/gm, "");
    },
    async shows(stream, text) {
      const isShown = () => isIn(read(stream).toString(), text);
      while (!isShown()) {
        const isOver = await Promise.race([
          once(child[stream], "data").then(() => false),
          ended.then(() => true),
        ]);
        if (isOver && !isShown()) {
          throw new Error(`It ended without ${text} on ${stream}:\n${read(stream)}\n${read("stderr")}`);
        }
      }
    },
  };
}

const isIn = (output: string, text: string | RegExp): boolean =>
  typeof text === "string" ? output.includes(text) : text.test(output);

/** Runs the command line to its end. */
export async function cli(args: readonly string[], options?: CliOptions) {
  const run = startCli(args, options);
  const code = await run.ended;
  return { code, stdout: run.stdout.toString(), stderr: run.stderr };
}
