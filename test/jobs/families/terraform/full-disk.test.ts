import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { endOf, follow } from "../../../faults/follow.ts";
import { smallDisk } from "../../../faults/small-disk.ts";
import { startService } from "../../../support/service.ts";
import { makeProject, needsTerraform } from "./project.ts";

beforeEach(needsTerraform);

const MIB = 7;
/** A plan of some megabytes, larger as JSON than as text: the log fits on the disk, the stored files of the plan do not. */
const MANY = `
resource "terraform_data" "many" {
  count = 3000
  input = join("", [for i in range(100) : "xxxxxxxxxx"])
}
`;

test("a plan that does not fit on the disk fails the task instead of waiting for confirmation", async (context) => {
  await using stack = new AsyncDisposableStack();
  const scratch = await mkdtemp(join(tmpdir(), "signalman-full-"));
  stack.defer(() => rm(scratch, { recursive: true, force: true }));
  const disk = smallDisk(join(scratch, "disk"), MIB);
  if (!disk) return context.skip("mounting a file system is not permitted");
  stack.use(disk);
  const service = stack.use(await startService({ dataDir: join(scratch, "disk") }));
  const project = stack.use(await makeProject(service));
  await writeFile(join(project.folder, "files/infra/many.tf"), MANY);
  const task = await project.run();
  using watcher = follow(service, task.name);
  const end = endOf(await watcher.ended);
  expect(watcher.statuses).not.toContain("WAITING_CONFIRMATION");
  // LOST if the message of the failure did not fit either.
  expect(end).toMatchObject({ status: "ERROR", reason: expect.stringMatching(/^(EXIT_CODE|LOST)$/) });
  expect(end.message).toMatch(/disk is full.*that of the data folder|disk of the data folder was full/);
  await rm(join(project.folder, "files/infra/many.tf"));
  expect((await project.planned()).plan).toMatchObject({ add: 1 });
});
