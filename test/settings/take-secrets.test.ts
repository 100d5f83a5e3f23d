import { spawnSync } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { SECRET_VARIABLES } from "../../src/config.ts";
import { takeSecrets } from "../../src/settings/take-secrets.ts";
import { SIGNALMAN } from "../support/program.ts";

const BIN = join(SIGNALMAN, "..");
const folder = mkdtempSync(join(tmpdir(), "signalman-secrets-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("secrets are returned, and leave the environment", () => {
  const env: NodeJS.ProcessEnv = { PATH: "/bin", DATABASE_URL: "postgres://db/x" };
  expect(takeSecrets(["DATABASE_URL"], env)).toEqual({ PATH: "/bin", DATABASE_URL: "postgres://db/x" });
  expect(env).toEqual({ PATH: "/bin" });
});

test("secrets that were handed over are read as they were", () => {
  const [A, B] = ["with = and\nline breaks\n", ""];
  writeFileSync(join(folder, "given"), `A=${A}\nB=${B}\n`);
  const env: NodeJS.ProcessEnv = { SIGNALMAN_SECRETS_FD: String(openSync(join(folder, "given"), "r")) };
  expect(takeSecrets(["A", "B"], env)).toEqual({ A, B });
  expect(env).toEqual({});
});

test("bin/init.sh hands over all secrets of the settings, and leaves none in the environment", () => {
  const secrets = Object.fromEntries(SECRET_VARIABLES.map((name) => [name, `$(id) \`id\` \\ of ${name}\n`]));
  const { stdout } = spawnSync("/bin/sh", [join(BIN, "init.sh"), "/bin/sh", "-c", "env; cat <&9"], {
    env: { ...secrets, PATH: process.env.PATH },
    encoding: "utf8",
  });
  const [inherited = "", ...handedOver] = stdout.split(/^(?=SIGNALMAN_TOKEN=)/m);
  expect(inherited).toContain("SIGNALMAN_SECRETS_FD=9");
  expect(inherited).not.toContain(" of ");
  expect(handedOver.join("")).toBe(SECRET_VARIABLES.map((name) => `${name}=${secrets[name]}\n`).join(""));
});

test("bin/signalman.js knows the names of all secrets", () => {
  const [, listed = ""] = /const secrets = (\[.*\]);/.exec(readFileSync(SIGNALMAN, "utf8")) ?? [];
  expect(JSON.parse(listed)).toEqual(SECRET_VARIABLES);
});
