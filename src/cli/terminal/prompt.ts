import { on } from "node:events";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { LeftError, UsageError } from "../errors.ts";

/** Asks a person at a terminal; questions go to stderr. */
export interface Prompt extends Disposable {
  /**
   * Returns one typed line. A secret is not shown while it is typed.
   * @throws LeftError at Ctrl-C; UsageError if the terminal is closed
   */
  ask(question: string, options?: { isSecret: boolean }): Promise<string>;
}

const SIGINT_EXIT = 130;

/** Whether a person can be asked: stdin and stderr are terminals. */
export function hasTerminal(): boolean {
  return Boolean(process.stdin.isTTY && process.stderr.isTTY);
}

/** Reads stdin until it is disposed. Lines that are typed ahead answer the next questions. */
export function openPrompt(): Prompt {
  let isMuted = false;
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (!isMuted) process.stderr.write(chunk);
      done();
    },
  });
  const terminal = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  const over = Promise.withResolvers<never>();
  over.promise.catch(() => {}); // it may reject while no question is open
  terminal.once("SIGINT", () => over.reject(new LeftError(SIGINT_EXIT)));
  terminal.once("close", () => over.reject(new UsageError("no answer: the terminal was closed")));
  const lines = on(terminal, "line") as AsyncIterableIterator<[string]>;
  return {
    async ask(question, { isSecret } = { isSecret: false }) {
      terminal.setPrompt(question);
      terminal.prompt();
      isMuted = isSecret;
      let isAnswered = false;
      try {
        const { value } = await Promise.race([lines.next(), over.promise]);
        isAnswered = true;
        return value[0];
      } finally {
        if (isSecret || !isAnswered) process.stderr.write("\n");
        isMuted = false;
      }
    },
    [Symbol.dispose]: () => terminal.close(),
  };
}
