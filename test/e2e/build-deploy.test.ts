import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HookEvent } from "../../gen/signalman/v1/hook_pb.ts";
import { type Task, TaskStatus } from "../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { SurveyType, TemplateType } from "../../gen/signalman/v1/template_pb.ts";
import { cli } from "../cli/cli.ts";
import { applyDemo, endOf, runDemo, watchToEnd } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { textsOf } from "../watch/events.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/build-deploy", import.meta.url));
const { BUILD, DEPLOY } = TemplateType;

let service: TestService;
let folder: string;
beforeAll(async () => {
  service = await startService();
  folder = await mkdtemp(join(tmpdir(), "signalman-build-deploy-"));
  const build = { type: BUILD, startVersion: "1.0", allowParallelTasks: true };
  const after = (buildTemplate: string) => ({
    script: "true",
    type: DEPLOY,
    buildTemplate,
    autorun: true,
    allowParallelTasks: true,
  });
  const survey = [{ name: "stage", type: SurveyType.TEXT, required: true }];
  await applyDemo(service, {
    build: { ...build, script: "true" },
    deploy: after("build"),
    further: after("deploy"),
    "by-hand": { ...after("build"), autorun: false },
    asking: { ...after("build"), survey },
    bad: { ...build, script: "exit 1" },
    "after-bad": after("bad"),
    gated: {
      ...build,
      script: "true",
      hooks: [
        {
          name: "smoke test",
          event: HookEvent.ON_SUCCESS,
          kind: { case: "program", value: { app: "bash", script: "exit 1" } },
          required: true,
        },
      ],
    },
    "after-gated": after("gated"),
    endless: { ...build, script: "sleep 1000" },
    "after-endless": after("endless"),
  });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const client = () => service.client(TaskService);
const ended = async (name: string) => endOf(await watchToEnd(service, name));
/** Resolves to the tasks of a template, the newest first. */
async function tasksOf(template: string): Promise<Task[]> {
  const { tasks } = await client().listTasks({ parent: "projects/demo", pageSize: 1000 });
  return tasks.filter((task) => task.template === `projects/demo/templates/${template}`);
}

describe("the success of a build", () => {
  test("starts each deploy with autorun, and the deploys of these, with its version", async () => {
    const build = await ended((await runDemo(service, "build")).name);
    // The deploys exist as soon as the end of the build is visible.
    const [deploy] = await tasksOf("deploy");
    expect(deploy).toMatchObject({
      buildTask: build.name,
      incomingVersion: build.version,
      message: `After the success of ${build.name} (${build.version})`,
    });
    expect((await ended(deploy?.name ?? "")).status).toBe(TaskStatus.SUCCESS);
    const [further] = await tasksOf("further");
    expect(further).toMatchObject({ buildTask: deploy?.name, incomingVersion: build.version });
    expect(await tasksOf("by-hand")).toEqual([]);
  });

  test("starts no deploy that needs input, and says so in the log", async () => {
    const events = await watchToEnd(service, (await runDemo(service, "build")).name);
    expect(textsOf(events).join("\n")).toContain(
      'Cannot run projects/demo/templates/asking after this task: variables["stage"]: is required',
    );
    expect(await tasksOf("asking")).toEqual([]);
  });
});

describe("no deploy is started after a build", () => {
  test.each(["bad", "gated"])("that fails by itself or by a required hook: %s", async (template) => {
    expect((await ended((await runDemo(service, template)).name)).status).toBe(TaskStatus.ERROR);
    expect(await tasksOf(`after-${template}`)).toEqual([]);
  });

  test.each([
    ["is stopped", {}, TaskStatus.STOPPED],
    ["runs for too long", { runTimeout: { seconds: 1n } }, TaskStatus.ERROR],
  ])("that %s", async (_, request, status) => {
    const { name } = await runDemo(service, "endless", request);
    if (status === TaskStatus.STOPPED) await client().killTask({ name });
    expect((await ended(name)).status).toBe(status);
    expect(await tasksOf("after-endless")).toEqual([]);
  });
});

describe("examples/build-deploy", () => {
  const read = (place: string) => readFile(join(folder, "places", place, "index.html"), "utf8");

  test("deploys each build to staging, and to production when a user starts it", async () => {
    const server = service.url;
    await cp(EXAMPLE, folder, { recursive: true });
    const catalog = join(folder, "catalog.yaml");
    const places = { from: "/tmp/signalman-build-deploy", to: join(folder, "places") };
    await writeFile(catalog, (await readFile(catalog, "utf8")).replace(places.from, places.to));
    expect(await cli(["apply", catalog], { server })).toMatchObject({ code: 0 });
    for (const version of ["1.0.000", "1.0.001"]) {
      const build = await cli(["run", "shop/build"], { server });
      expect(build).toMatchObject({ code: 0, stdout: `Packed page-${version}.tar.gz\n` });
      expect(build.stderr).toMatch(new RegExp(`SUCCESS after .* \\(version ${version}\\)\\n$`));
    }
    const { stdout } = await cli(["--json", "list", "shop", "--filter", 'template = "deploy-staging"'], {
      server,
    });
    for (const line of stdout.trim().split("\n")) await ended(JSON.parse(line).name);
    expect(await read("staging")).toBe("<h1>Shop 1.0.001</h1>\n");
    const production = await cli(["run", "shop/deploy-production"], { server });
    expect(production).toMatchObject({ code: 0, stdout: "production shows: <h1>Shop 1.0.001</h1>\n" });
    const list = await cli(["list", "shop"], { server });
    expect(list.stdout).toMatch(/^TASK +TEMPLATE +STATUS +AGE +DURATION +VERSION +MESSAGE\n/);
    expect(list.stdout).toMatch(/shop\/deploy-production +SUCCESS .* 1\.0\.001\n/);
  });
});
