import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Ports on loopback on which no program answers, until disposed. */
export interface SilentHosts extends AsyncDisposable {
  /** Accepts connections and sends nothing. */
  readonly silent: number;
  /** Its queue of connections is full, so that the kernel drops the packets of each new one. */
  readonly void: number;
}

/** Without `accept`, which Node always calls. */
const SERVER = `
import socket
def listen(queue):
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(queue)
    return server, server.getsockname()[1]
silent, open_port = listen(100)
full, full_port = listen(0)
fillers = [socket.socket() for _ in range(4)]
for filler in fillers:
    filler.setblocking(False)
    filler.connect_ex(("127.0.0.1", full_port))
print(open_port, full_port, flush=True)
input()
`;

export async function startSilentHosts(): Promise<SilentHosts> {
  const child = spawn("python3", ["-c", SERVER], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  const [silent = 0, full = 0] = String(line).split(" ").map(Number);
  return {
    silent,
    void: full,
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
    },
  };
}
