import { once } from "node:events";
import { createConnection, createServer } from "node:net";
import { text } from "node:stream/consumers";

type Answer<T> = { value: T } | { problem: string };

/**
 * Opens a unix socket where the workers of a run ask for a value. It is made for the first worker that asks, and all workers
 * get the same. The end of the desk waits for a value that is being made.
 */
export async function openDesk<T>(path: string, make: () => Promise<T>): Promise<AsyncDisposable> {
  let answer: Promise<Answer<T>> | undefined;
  const desk = createServer(async (worker) => {
    worker.on("error", () => {});
    answer ??= make().then(
      (value) => ({ value }),
      (error: Error) => ({ problem: String(error.stack) }),
    );
    worker.end(JSON.stringify(await answer));
  });
  desk.listen(path);
  await once(desk, "listening");
  return {
    async [Symbol.asyncDispose]() {
      await new Promise((closed) => desk.close(closed));
      await answer;
    },
  };
}

/** Returns the value of a desk; rejects with the error of the process that could not make it. */
export async function askDesk<T>(path: string): Promise<T> {
  const answer = JSON.parse(await text(createConnection(path))) as Answer<T>;
  if ("problem" in answer) throw new Error(answer.problem);
  return answer.value;
}
