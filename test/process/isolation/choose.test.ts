import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fixture } from "../harness.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "signalman-choose-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A user who is not root, in a user namespace of the test where this user may change the system. */
const inside = (change: string) => [
  ...["unshare", "--user", "--map-user=65534", "--map-group=65534", "--keep-caps", "--mount", "--"],
  ...["/bin/sh", "-ec", `${change}\nexec /usr/bin/setpriv --ambient-caps=-all --inh-caps=-all -- "$@"`, "sh"],
];

/** Chooses on a machine that was changed; `path` stands for PATH. */
function choose(change: string, path = process.env.PATH) {
  const [command = "", ...args] = [
    ...inside(change),
    process.execPath,
    fixture("choose-isolation.ts"),
    folder,
  ];
  const { stdout, stderr } = spawnSync(command, args, { encoding: "utf8", env: { PATH: path } });
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout);
}

const canChange =
  spawnSync("/usr/bin/env", [...inside("mount --bind /dev/null /proc/uptime"), "/bin/true"]).status === 0;

describe("auto is none and says why", () => {
  beforeEach((context) => context.skip(!canChange, "the test may make no user namespace here"));

  test("where user namespaces are off", () => {
    const { mode, problem } = choose("echo 0 >/proc/sys/user/max_user_namespaces");
    expect(mode).toBe("none");
    expect(problem).toContain("sysctl user.max_user_namespaces forbids it: set it to 15000");
  });

  test("where parts of /proc are masked, as in a container", () => {
    const { mode, problem } = choose("mount --bind /dev/null /proc/uptime");
    expect(mode).toBe("none");
    expect(problem).toContain(
      "the container masks /proc: start it with --security-opt systempaths=unconfined",
    );
  });

  test("where neither bubblewrap nor perl is installed", () => {
    const { mode, problem } = choose("export PATH=/nowhere");
    expect(mode).toBe("none");
    expect(problem).toContain("apt install bubblewrap");
  });

  test("where the program that makes namespaces does not report them", () => {
    writeFileSync(join(folder, "bwrap"), "#!/bin/sh\nexit 0\n");
    chmodSync(join(folder, "bwrap"), 0o755);
    expect(choose(`export PATH=${folder}`).problem).toContain("does not report its namespace");
  });
});

test("auto is none for root, and says so", (context) => {
  context.skip(process.geteuid?.() !== 0, "the tests do not run as root");
  const { stdout } = spawnSync(process.execPath, [fixture("choose-isolation.ts"), folder], {
    encoding: "utf8",
  });
  expect(JSON.parse(stdout)).toMatchObject({
    mode: "none",
    problem: expect.stringContaining("runs as root"),
  });
});
