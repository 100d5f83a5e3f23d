import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TaskStatus } from "../../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService, TemplateType } from "../../../gen/signalman/v1/template_pb.ts";
import { applyDemo, type DemoTemplate, endOf, runDemo, watchToEnd } from "../../support/demo.ts";
import { startService, type TestService } from "../../support/service.ts";
import { textsOf } from "../../watch/events.ts";
import { invalid, refusal } from "../support.ts";

const { BUILD, DEPLOY } = TemplateType;
/** A script written for Semaphore UI, which treats unset variables as errors. */
const TELL = `set -u
echo "type=$SEMAPHORE_TASK_TYPE incoming=$SEMAPHORE_TASK_INCOMING_VERSION target=\${SEMAPHORE_TASK_TARGET_VERSION-unset}"
env | grep ^SEMAPHORE_TASK_DETAILS_ | grep -v _ID= | sort`;
const buildOnly = { script: TELL, type: BUILD, allowParallelTasks: true };
const deployOf = (buildTemplate: string, more: object = {}): DemoTemplate => ({
  script: TELL,
  type: DEPLOY,
  buildTemplate,
  ...more,
});

let service: TestService;
beforeAll(async () => {
  service = await startService();
  await applyDemo(service, {
    build: { ...buildOnly, startVersion: "1.0.009" },
    unversioned: buildOnly,
    crowd: { ...buildOnly, startVersion: "v0" },
    never: { ...buildOnly, startVersion: "1", script: "exit 1" },
    choosy: { ...buildOnly, startVersion: "1", script: "exit $code", allowParallelTasks: true },
    deploy: deployOf("build"),
    further: deployOf("deploy"),
    hopeless: deployOf("never"),
    free: { script: TELL, type: DEPLOY },
    plain: "true",
  });
});
afterAll(() => service[Symbol.asyncDispose]());

const deploy = (template: string, buildTask = "", more = {}) =>
  runDemo(service, template, { buildTask, ...more });
const toEnd = async (name: string) => {
  const events = await watchToEnd(service, name);
  const said = textsOf(events).map((line) => line.replace(/^\d+:/, ""));
  return { task: endOf(events), said };
};
const runToEnd = async (...args: Parameters<typeof deploy>) => toEnd((await deploy(...args)).name);

describe("versions", () => {
  test("count up from start_version, keep leading zeros, and reach a script under Semaphore UI's names", async () => {
    const [first, second] = [await runToEnd("build"), await runToEnd("build")];
    expect([first.task.version, second.task.version]).toEqual(["1.0.009", "1.0.010"]);
    expect(second.said).toContain("type=build incoming= target=1.0.010");
    expect(second.said).toContain("SEMAPHORE_TASK_DETAILS_TARGET_VERSION=1.0.010");
  });

  test("of 20 builds started at once are different and consecutive", async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => runDemo(service, "crowd")));
    const numbers = made.map(({ version }) => Number(version.slice(1))).sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  test("are empty without a start_version, and for validate_only", async () => {
    expect((await runToEnd("unversioned")).said).toContain("type=build incoming= target=");
    expect((await runDemo(service, "build", { validateOnly: true })).version).toBe("");
  });
});

describe("a deploy", () => {
  test("installs the newest successful build, or the requested one", async () => {
    const [older, newer] = [await runToEnd("build"), await runToEnd("build")];
    const newest = await runToEnd("deploy");
    expect(newest.task).toMatchObject({ buildTask: newer.task.name, incomingVersion: newer.task.version });
    expect(newest.said).toContain(`type=deploy incoming=${newer.task.version} target=unset`);
    expect(newest.said).toContain(`SEMAPHORE_TASK_DETAILS_INCOMING_VERSION=${newer.task.version}`);
    const told = await runToEnd("deploy", older.task.name);
    expect(told.task).toMatchObject({ buildTask: older.task.name, incomingVersion: older.task.version });
  });

  test("of a deploy installs the same version", async () => {
    await runToEnd("build");
    const { task } = await runToEnd("deploy");
    expect((await runToEnd("further")).task).toMatchObject({
      buildTask: task.name,
      incomingVersion: task.incomingVersion,
    });
  });

  test("without a build template has no version", async () => {
    const { task, said } = await runToEnd("free");
    expect(task).toMatchObject({ status: TaskStatus.SUCCESS, buildTask: "", incomingVersion: "" });
    expect(said).toContain("type=deploy incoming= target=unset");
  });

  test("is refused if no build has succeeded", async () => {
    await runToEnd("never");
    expect(await refusal(deploy("hopeless"))).toEqual({
      code: "FailedPrecondition",
      reason: "NO_BUILD",
      fields: [],
    });
  });

  test.each([
    ["of another template", "deploy", async () => (await runToEnd("unversioned")).task.name],
    ["that failed", "hopeless", async () => (await runToEnd("never")).task.name],
    ["that is not there", "deploy", async () => `projects/demo/tasks/${crypto.randomUUID()}`],
    [
      "of another project",
      "deploy",
      async () => (await runToEnd("build")).task.name.replace("projects/demo", "projects/other"),
    ],
    ["though it is no deploy", "plain", async () => (await runToEnd("build")).task.name],
    ["though it names no build template", "free", async () => (await runToEnd("build")).task.name],
  ])("is refused with a build task %s", async (_, template, buildTask) => {
    expect(await refusal(deploy(template, await buildTask()))).toEqual(invalid("build_task"));
  });

  test("that is sent twice with one request id is one task, even if a newer build exists meanwhile", async () => {
    const requestId = crypto.randomUUID();
    await runToEnd("build");
    const { name, buildTask } = await deploy("deploy", "", { requestId });
    await runToEnd("build");
    expect(await deploy("deploy", "", { requestId })).toMatchObject({ name, buildTask });
  });
});

test("an unknown build template is refused by its field", async () => {
  await using other = await startService();
  const applying = applyDemo(other, { deploy: deployOf("nowhere") });
  expect(await refusal(applying)).toEqual(invalid("catalog.templates[0].build_template"));
});

test("a build template must create versions, and must go on to do so while templates name it", async () => {
  await using other = await startService();
  const plain = { script: TELL, type: TemplateType.TASK };
  const deploy = deployOf("build");
  for (const build of [plain, { script: TELL }])
    expect(await refusal(applyDemo(other, { build, deploy }))).toEqual(
      invalid("catalog.templates[1].build_template"),
    );
  await applyDemo(other, { build: buildOnly, deploy });
  const template = { name: "projects/demo/templates/build", type: TemplateType.TASK };
  const templates = other.client(TemplateService);
  for (const type of [TemplateType.TASK, TemplateType.UNSPECIFIED]) {
    const turning = templates.updateTemplate({
      template: { ...template, type },
      updateMask: { paths: ["type"] },
    });
    expect(await refusal(turning)).toEqual(invalid("template"));
  }
  expect(await refusal(applyDemo(other, { build: plain }))).toEqual(invalid("catalog.templates[0]"));
});

test("deploys with autorun that name each other as build template are refused, since they would run for ever", async () => {
  await using other = await startService();
  const alone = applyDemo(other, { deploy: deployOf("deploy", { autorun: true }) });
  expect(await refusal(alone)).toEqual(invalid("catalog.templates[0].build_template"));
  await applyDemo(other, { build: buildOnly, first: deployOf("build"), second: deployOf("first") });
  const templates = other.client(TemplateService);
  const template = { name: "projects/demo/templates/first", buildTemplate: "projects/demo/templates/second" };
  const turning = templates.updateTemplate({ template, updateMask: { paths: ["build_template"] } });
  expect(await refusal(turning)).toEqual(invalid("template.build_template"));
});

test("lists show the versions of tasks", async () => {
  await runToEnd("build");
  const made = await runToEnd("deploy");
  const { tasks } = await service.client(TaskService).listTasks({ parent: "projects/demo", pageSize: 1000 });
  const found = tasks.find(({ name }) => name === made.task.name);
  expect(found).toMatchObject({ incomingVersion: made.task.incomingVersion, buildTask: made.task.buildTask });
});
