import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readConfig } from "../../src/config.ts";
import { openUsers } from "../../src/service/users.ts";
import { isRoot, NOBODY } from "../support/nobody.ts";

let root: string;
let dataDir: string;
beforeEach((context) => {
  if (!isRoot) context.skip("the tests do not run as root");
  root = mkdtempSync(join(tmpdir(), "signalman-users-"));
  chmodSync(root, 0o755);
  dataDir = join(root, "data");
  mkdirSync(join(dataDir, "tasks"), { recursive: true, mode: 0o700 });
});
afterEach(() => root && rmSync(root, { recursive: true, force: true }));

function open(runAsUsers: string) {
  const lines: string[] = [];
  const logger = pino({}, { write: (line) => void lines.push(line) });
  const config = readConfig({ runAsUsers, isolation: "none" }, {});
  const users = openUsers({ config, dataDir, logger }, join(dataDir, "tasks"));
  return { users, log: lines.join("") };
}
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

test("users are found by name and by number; they may pass the data folder, and not list it", () => {
  const { users, log } = open(`default: nobody, projects/web: ${NOBODY}`);
  expect(users.get("nobody")).toMatchObject({
    name: "nobody",
    uid: NOBODY,
    groups: expect.arrayContaining([expect.any(Number)]),
  });
  expect(users.get(String(NOBODY))?.name).toBe("nobody");
  expect(log).toContain(`"default: nobody (${NOBODY})","projects/web: nobody (${NOBODY})"`);
  expect([mode(dataDir), mode(join(dataDir, "tasks"))]).toEqual(["711", "711"]);
});

test.each([
  [
    "default: nobody, projects/web: no-such-user",
    /projects\/web: no-such-user, but this machine has no user no-such-user; make one/,
  ],
  ["default: root", /the entry default: root, who is root; name a user without privileges/],
  ["default: 0", /the entry default: 0, who is root/],
])("%s is refused", (text, message) => {
  expect(() => open(text)).toThrow(message);
});

test("a closed folder above the data folder is named", () => {
  chmodSync(root, 0o700);
  expect(() => open("default: nobody")).toThrow(
    `the entry default: nobody, as whom no task can run: this user may not enter ${root}, in which the data folder lies; allow it (chmod o+x ${root})`,
  );
});

test("a server that is not root cannot run tasks as others", () => {
  process.seteuid?.(NOBODY);
  try {
    expect(() => open("default: nobody")).toThrow(/SIGNALMAN_RUN_AS_USERS needs a server that runs as root/);
  } finally {
    process.seteuid?.(0);
  }
});

test("a server of root without users warns that tasks run as root", () => {
  const { users, log } = open("");
  expect([...users]).toEqual([]);
  expect(log).toContain("tasks run as root, as this server does: name other users in SIGNALMAN_RUN_AS_USERS");
  expect(mode(dataDir)).toBe("700");
});
