import { harmless, printable } from "./printable.ts";

/** Resolves when the stream has taken the bytes, so that a caller that awaits it is as slow as the reader. */
export function write(sink: NodeJS.WriteStream, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    // The callback gets every error; an `error` event without a listener would end the process.
    if (sink.listenerCount("error") === 0) sink.on("error", () => {});
    sink.write(data, (error) => (error ? reject(error) : resolve()));
  });
}

/** Prints a line of results to stdout. */
export async function print(line: string): Promise<void> {
  await write(process.stdout, `${harmless(line)}\n`);
}

/** Prints a message of the command line to stderr, after the prefix `signalman: `. */
export function say(text: string): void {
  write(process.stderr, `signalman: ${printable(text)}\n`).catch(() => {});
}

/** Resolves when everything written so far has left the process or has failed. */
export async function flush(): Promise<void> {
  await Promise.allSettled([write(process.stdout, ""), write(process.stderr, "")]);
}
