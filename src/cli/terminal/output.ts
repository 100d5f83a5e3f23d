import { harmless, printable } from "./printable.ts";

export type Sink = NodeJS.WriteStream & { fd: 1 | 2 };

/** Resolves when the bytes have been taken: whoever awaits it goes at the pace of the reader. */
export function write(sink: NodeJS.WriteStream, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    // What fails is said to the callback; the event alone would end the process.
    if (sink.listenerCount("error") === 0) sink.on("error", () => {});
    sink.write(data, (error) => (error ? reject(error) : resolve()));
  });
}

/** A line of results. */
export async function print(line: string): Promise<void> {
  await write(process.stdout, `${harmless(line)}\n`);
}

/** A line of our own, beside the results. */
export function say(text: string): void {
  write(process.stderr, `signalman: ${printable(text)}\n`).catch(() => {});
}

/** Resolves when everything written so far has left the process, or cannot. */
export async function flush(): Promise<void> {
  await Promise.allSettled([write(process.stdout, ""), write(process.stderr, "")]);
}
