import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { cli } from "../cli/cli.ts";
import { follow } from "../faults/follow.ts";
import { needsTerraform } from "../jobs/families/terraform/project.ts";
import { startService, type TestService } from "../support/service.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/terraform", import.meta.url));

let service: TestService;
let folder: string;
beforeAll(async () => {
  service = await startService();
  folder = await mkdtemp(join(tmpdir(), "signalman-example-"));
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(needsTerraform);

test("examples/terraform plans, is confirmed, applies, and destroys", async () => {
  const server = service.url;
  await cp(EXAMPLE, folder, { recursive: true });
  const catalog = join(folder, "catalog.yaml");
  const text = await readFile(catalog, "utf8");
  await writeFile(catalog, text.replaceAll("/tmp/signalman-terraform", join(folder, "state")));
  expect(await cli(["apply", catalog], { server })).toMatchObject({ code: 0 });

  async function decide(...args: string[]): Promise<string> {
    const { stdout } = await cli(["run", "cloud/infra", "--no-watch", ...args], { server });
    const name = stdout.trim();
    using watcher = follow(service, name);
    await watcher.reaches("WAITING_CONFIRMATION");
    expect(await cli(["confirm", name, "--yes"], { server })).toMatchObject({ code: 0 });
    await watcher.ended;
    return watcher.text();
  }

  expect(await decide("-e", "replicas=3", "--secret", "password=hidden-one")).toContain("Resources: 4 added");
  expect(await readFile(join(folder, "state", "staging", "terraform.tfstate"), "utf8")).toContain(
    "staging-3",
  );
  // This task does not have the password as a secret, so that it is not masked.
  const destroyed = await decide("--destroy");
  expect(destroyed).toContain("4 destroyed");
  expect(destroyed).not.toContain("hidden-one");
});
