import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";

/** Obstacles that a program may put in place of a file, each with the text by which it is refused. */
export const OBSTACLES: readonly { what: string; put: (path: string) => void; said: RegExp }[] = [
  {
    what: "a named pipe",
    put: (path) => execFileSync("mkfifo", [path]),
    said: /is a named pipe, a socket or a device, not a regular file/,
  },
  {
    what: "a socket",
    put: (path) =>
      execFileSync("python3", ["-c", "import socket, sys; socket.socket(1).bind(sys.argv[1])", path]),
    said: /is a named pipe, a socket or a device, not a regular file/,
  },
  {
    what: "a link to a device that never ends",
    put: (path) => symlinkSync("/dev/zero", path),
    said: /is a symbolic link, not a regular file/,
  },
  { what: "a folder", put: (path) => mkdirSync(path), said: /is a folder, not a regular file/ },
  {
    what: "a file of a terabyte",
    put: (path) => {
      writeFileSync(path, "");
      truncateSync(path, 2 ** 40);
    },
    said: /has 1099511627776 bytes; at most \d+ are read/,
  },
];
