import { realpathSync } from "node:fs";
import { basename } from "node:path";

/** Command line that starts /bin/sh so that `ps` shows a title and nothing else. The script is read from stdin. */
export interface Titled {
  file: "/bin/sh";
  args: readonly string[];
  argv0?: string;
}

/**
 * Returns the command line for a title. BusyBox and Toybox take argv[0] for the name of the applet, so there the
 * title follows as an argument.
 */
export function titled(title: string): Titled {
  const words = `signalman: ${title}`;
  return isMulticall()
    ? { file: "/bin/sh", args: ["-s", words] }
    : { file: "/bin/sh", args: [], argv0: words };
}

function isMulticall(): boolean {
  return /^(busybox|toybox)/.test(basename(realpathSync("/bin/sh")));
}
