import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { endOf, follow } from "../faults/follow.ts";
import { leavesNothing, until } from "../faults/traces.ts";
import { applyDemo, runDemo } from "../support/demo.ts";
import { startService } from "../support/service.ts";

/** Script that replaces files of its task's folder by named pipes, waits for a file, and then hangs or ends. */
const SABOTEUR = `
cd "$TMPDIR/.." || exit 9
for file in spool/run spool/out spool/err kept kept.new plan/stages plan/plan private/report/result.json; do
  mkdir -p "$(dirname $file)"; rm -rf $file; mkfifo $file
done
touch $1/ready-$2
until [ -e $1/go ]; do sleep 0.02; done
`;

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "signalman-obstacles-"));
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

test("four tasks that replace their files by named pipes block no other task, no restart and no shutdown", async () => {
  await using service = await startService();
  const allow = { allowOverrideArguments: true, allowParallelTasks: true };
  await applyDemo(service, {
    saboteur: { ...allow, script: SABOTEUR },
    quick: { ...allow, script: "echo ran" },
  });
  const quick = async () => {
    const task = await runDemo(service, "quick", {});
    using watcher = follow(service, task.name);
    expect(endOf(await watcher.ended)).toMatchObject({ status: "SUCCESS" });
    expect(watcher.text()).toBe("ran\n");
  };
  const sabotage = async (name: string) => {
    const tasks = [];
    for (let at = 0; at < 4; at++)
      tasks.push(await runDemo(service, "saboteur", { arguments: [scratch, `${name}-${at}`] }));
    for (const [at, task] of tasks.entries())
      await until(async () => existsSync(join(scratch, `ready-${name}-${at}`)) || (await hasEnded(task)));
    return tasks;
  };
  // The server may read one of the pipes, and end the task, before the script has made them all.
  const hasEnded = async ({ name }: { name: string }) =>
    Boolean((await service.client(TaskService).getTask({ name })).task?.end);
  const ends = async (tasks: Awaited<ReturnType<typeof sabotage>>) => {
    for (const task of tasks) {
      using watcher = follow(service, task.name);
      expect(endOf(await watcher.ended)).toMatchObject({ status: "ERROR", reason: "LOST" });
      await leavesNothing(service, task);
    }
  };

  const first = await sabotage("first");
  await quick();
  await writeFile(join(scratch, "go"), "");
  await ends(first);
  await rm(join(scratch, "go"));

  const second = await sabotage("second");
  await service.kill("SIGKILL");
  await service.start();
  await quick();
  await ends(second);

  await sabotage("third");
  expect(await service.kill("SIGTERM")).toEqual({ code: 0, signal: null });
});

test("a task that replaces its folder by a link harms nothing behind the link", async () => {
  await using service = await startService();
  const precious = join(scratch, "precious");
  for (const folder of ["work", "home", "tmp", "private/s", "spool"])
    await mkdir(join(precious, folder), { recursive: true, mode: 0o700 });
  await writeFile(join(precious, "work/file"), "precious");
  await applyDemo(service, {
    linker: {
      allowOverrideArguments: true,
      script: 'root=$(dirname "$TMPDIR"); cd /; rm -rf "$root"; ln -s "$1" "$root"',
    },
  });
  const task = await runDemo(service, "linker", { arguments: [precious] });
  using watcher = follow(service, task.name);
  expect(endOf(await watcher.ended)).toMatchObject({ status: "ERROR", reason: "LOST" });
  await leavesNothing(service, task);
  expect((await readdir(precious, { recursive: true })).sort()).toEqual(
    ["home", "private", "private/s", "spool", "tmp", "work", "work/file"].sort(),
  );
});

test("a server whose threads hang still ends by SIGTERM", async () => {
  const hang = fileURLToPath(new URL("../fixtures/hang-threads.ts", import.meta.url));
  await using service = await startService({ execArgv: ["--import", hang] });
  service.process.kill("SIGUSR2");
  await until(() => service.log().includes("threads hang"));
  expect(await service.kill("SIGTERM")).toEqual({ code: null, signal: "SIGKILL" });
});
