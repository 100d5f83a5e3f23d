import { describe, expect, test } from "vitest";
import { TemplateType } from "../../../gen/signalman/v1/template_pb.ts";
import {
  detailsEnvironment,
  type ToldTask,
  taskDetails,
  typeEnvironment,
} from "../../../src/jobs/families/task-details.ts";

const COMMIT = { hash: "abc123", message: 'It\'s "fixed"' };

function told(type: TemplateType, more: Partial<ToldTask> = {}): ToldTask {
  return {
    id: "0192f0c1-0000-7000-8000-000000000000",
    message: "",
    template: { type },
    repository: { name: "projects/p/repositories/scripts" },
    gitBranch: "",
    version: "",
    incomingVersion: "",
    ...more,
  };
}
const build = told(TemplateType.BUILD, { version: "1.0.3", incomingVersion: "" });
const deploy = told(TemplateType.DEPLOY, { incomingVersion: "1.0.3" });

test("the details of a plain task have the names of Semaphore UI", () => {
  const inventory = { name: "projects/p/inventories/web" };
  expect(taskDetails(told(TemplateType.TASK, { message: "by hand", inventory }), COMMIT)).toEqual({
    id: "0192f0c1-0000-7000-8000-000000000000",
    message: "by hand",
    username: "",
    url: null,
    commit_hash: "abc123",
    commit_message: 'It\'s "fixed"',
    inventory_name: "web",
    inventory_id: "projects/p/inventories/web",
    repository_name: "scripts",
    repository_id: "projects/p/repositories/scripts",
  });
});

test("the details of a build have its type and version, those of a deploy the version that it installs", () => {
  expect(taskDetails(build, COMMIT)).toMatchObject({ type: "build", target_version: "1.0.3" });
  expect(taskDetails(build, COMMIT)).not.toHaveProperty("incoming_version");
  expect(taskDetails(deploy, COMMIT)).toMatchObject({ type: "deploy", incoming_version: "1.0.3" });
  expect(taskDetails(deploy, COMMIT)).not.toHaveProperty("target_version");
});

describe("the environment", () => {
  test("has the requested branch or tag", () => {
    expect(detailsEnvironment({ ...build, gitBranch: "v1.2" }, COMMIT)).toMatchObject({
      SEMAPHORE_TASK_DETAILS_BRANCH: "v1.2",
    });
  });

  test("has the details that have a value, without the type", () => {
    expect(detailsEnvironment(build, COMMIT)).toEqual({
      SEMAPHORE_TASK_DETAILS_ID: "0192f0c1-0000-7000-8000-000000000000",
      SEMAPHORE_TASK_DETAILS_COMMIT_HASH: "abc123",
      SEMAPHORE_TASK_DETAILS_COMMIT_MESSAGE: 'It\'s "fixed"',
      SEMAPHORE_TASK_DETAILS_REPOSITORY_ID: "projects/p/repositories/scripts",
      SEMAPHORE_TASK_DETAILS_REPOSITORY_NAME: "scripts",
      SEMAPHORE_TASK_DETAILS_TARGET_VERSION: "1.0.3",
    });
  });

  test.each([
    ["no type", told(TemplateType.UNSPECIFIED), {}],
    ["a task", told(TemplateType.TASK, { incomingVersion: "1" }), {}],
    [
      "a build",
      build,
      {
        SEMAPHORE_TASK_TYPE: "build",
        SEMAPHORE_TASK_INCOMING_VERSION: "",
        SEMAPHORE_TASK_TARGET_VERSION: "1.0.3",
      },
    ],
    ["a deploy", deploy, { SEMAPHORE_TASK_TYPE: "deploy", SEMAPHORE_TASK_INCOMING_VERSION: "1.0.3" }],
  ])("of %s has its type and versions", (_, task, expected) => {
    expect(typeEnvironment(task)).toEqual(expected);
  });
});
