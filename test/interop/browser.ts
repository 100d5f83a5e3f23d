import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
];

interface Answer {
  id?: number;
  method?: string;
  result?: { result?: { value?: unknown }; exceptionDetails?: unknown };
}

/** A headless Chromium with one page. */
export interface Browser extends AsyncDisposable {
  /** Opens a URL and resolves when the page has loaded. */
  open(url: string): Promise<void>;
  /** Resolves with the value of an expression in the page, or with that of its promise; rejects if it throws. */
  evaluate(expression: string): Promise<unknown>;
}

/**
 * Driven by the DevTools protocol (https://chromedevtools.github.io/devtools-protocol). `flags`: further options of the program.
 */
export async function startBrowser(program: string, flags: readonly string[] = []): Promise<Browser> {
  await using stack = new AsyncDisposableStack();
  const profile = await mkdtemp(join(tmpdir(), "signalman-browser-"));
  stack.defer(() => rm(profile, { recursive: true, force: true, maxRetries: 5 }));
  const child = spawn(program, [...FLAGS, ...flags, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(child, "exit");
  stack.defer(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const socket = new WebSocket(await pageOf(await debuggerOf(child.stderr)));
  stack.defer(() => socket.close());
  await once(socket, "open");

  const waiting = new Map<number | string, (answer: Answer) => void>();
  socket.addEventListener("message", ({ data }) => {
    const answer = JSON.parse(String(data)) as Answer;
    waiting.get(answer.id ?? answer.method ?? "")?.(answer);
  });
  const heard = (key: number | string) => new Promise<Answer>((resolve) => waiting.set(key, resolve));
  let calls = 0;
  const call = (method: string, params = {}): Promise<Answer> => {
    socket.send(JSON.stringify({ id: ++calls, method, params }));
    return heard(calls);
  };
  await call("Page.enable");

  const owned = stack.move();
  return {
    async open(url) {
      const loaded = heard("Page.loadEventFired");
      await call("Page.navigate", { url });
      await loaded;
    },
    async evaluate(expression) {
      const { result } = await call("Runtime.evaluate", {
        expression,
        awaitPromise: true,
        returnByValue: true,
      });
      if (result?.exceptionDetails) throw new Error(JSON.stringify(result.exceptionDetails));
      return result?.result?.value;
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** `http://127.0.0.1:PORT`, which it prints at its start. */
async function debuggerOf(stderr: NodeJS.ReadableStream): Promise<string> {
  const said: string[] = [];
  for await (const line of createInterface({ input: stderr })) {
    said.push(line);
    const host = /^DevTools listening on ws:\/\/([^/]+)/.exec(line)?.[1];
    if (!host) continue;
    stderr.resume();
    return `http://${host}`;
  }
  throw new Error(`The browser did not start:\n${said.join("\n")}`);
}

async function pageOf(base: string): Promise<string> {
  const pages = (await (await fetch(`${base}/json/list`)).json()) as {
    type: string;
    webSocketDebuggerUrl: string;
  }[];
  return pages.find(({ type }) => type === "page")?.webSocketDebuggerUrl ?? "";
}
