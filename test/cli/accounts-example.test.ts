import { mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SIGNALMAN } from "../support/program.ts";
import { startService, type TestService } from "../support/service.ts";
import { cli, startProgram } from "./cli.ts";

const SETUP = fileURLToPath(new URL("../../examples/accounts/setup.sh", import.meta.url));
const ROOT = "root-token-of-the-test";

let service: TestService;
let folder: string;
beforeAll(async () => {
  service = await startService({ env: { SIGNALMAN_TOKEN: ROOT } });
  folder = await mkdtemp(join(tmpdir(), "signalman-accounts-test-"));
  await mkdir(join(folder, "bin"));
  await symlink(SIGNALMAN, join(folder, "bin", "signalman"));
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

test("examples/accounts lets one service run one template, and the other watch", async () => {
  const setup = startProgram(["sh", "-c", `cd "${folder}" && exec sh "${SETUP}"`], {
    server: service.url,
    env: { SIGNALMAN_TOKEN: ROOT, PATH: `${join(folder, "bin")}:${process.env.PATH}` },
  });
  expect(await setup.ended, setup.stderr).toBe(0);
  const as = async (account: string, ...args: string[]) => {
    const token = (await readFile(join(folder, `${account}.token`), "utf8")).trim();
    return cli(args, { server: service.url, env: { SIGNALMAN_TOKEN: token } });
  };
  expect((await as("deployer", "run", "shop/deploy")).stdout).toContain("deployed");
  expect((await as("deployer", "run", "shop/backup")).stderr).toContain(
    "There is no projects/shop/templates/backup",
  );
  expect((await as("dashboard", "list", "shop")).stdout).toContain("shop/deploy");
  expect((await as("dashboard", "run", "shop/deploy")).stderr).toContain("it needs tasks.run");
});
