import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./traces.ts";

/** A git repository whose checkout waits, so that a task stays in STARTING for as long as a test needs. */
export interface SlowRepository {
  readonly url: string;
  /** Number of checkouts that have begun. */
  readonly begun: () => number;
  /** Resolves when a checkout has begun so many times. */
  begins(times?: number): Promise<void>;
  /** Lets all checkouts go on, waiting and future ones. */
  release(): void;
}

/**
 * `scripts`: file → text, committed. Git asks the repository's own filter whether a file with a new time has changed; this
 * filter waits.
 */
export function slowRepository(folder: string, scripts: Record<string, string>): SlowRepository {
  const url = join(folder, "repository");
  const begun = join(folder, "begun");
  const released = join(folder, "released");
  const hook = join(folder, "hook");
  mkdirSync(url, { recursive: true });
  writeFileSync(
    hook,
    `#!/bin/sh\necho >>${begun}\nuntil [ -e ${released} ]; do sleep 0.01; done\nexec cat\n`,
  );
  chmodSync(hook, 0o755);
  for (const [name, text] of Object.entries(scripts)) writeFileSync(join(url, name), text);
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], {
      cwd: url,
      // Git settings of the user who runs the tests are ignored.
      env: { PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: "1" },
      stdio: "ignore",
    });
  git("init", "--quiet");
  git("add", ".");
  git("commit", "--quiet", "-m", "first");
  git("config", "filter.slow.clean", hook);
  const [first = ""] = Object.keys(scripts);
  mkdirSync(join(url, ".git/info"), { recursive: true });
  writeFileSync(join(url, ".git/info/attributes"), `/${first} filter=slow\n`);
  utimesSync(join(url, first), 0, 0);
  const count = () => (existsSync(begun) ? readFileSync(begun).length : 0);
  return {
    url,
    begun: count,
    begins: (times = 1) => until(() => count() >= times),
    release: () => writeFileSync(released, ""),
  };
}
