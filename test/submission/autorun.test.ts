import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { TemplateSchema, TemplateType } from "../../gen/signalman/v1/template_pb.ts";
import { jsonOf } from "../../src/rpc/catalog/schemas.ts";
import { deploysAfter } from "../../src/submission/autorun.ts";

const BUILD = {
  id: "a-uuid",
  project: "p",
  template: "build",
  version: "1.0.3",
  incomingVersion: "",
  createdBy: "ada",
};

function stored(name: string, template: MessageInitShape<typeof TemplateSchema> = {}) {
  const deploy = { app: "bash", type: TemplateType.DEPLOY, autorun: true, ...template };
  return { name, spec: jsonOf("templates", create(TemplateSchema, deploy)), isPermitted: true };
}

test("a success creates the task that RunTask would, with the build that it comes from", () => {
  const { deploys, refusals } = deploysAfter(BUILD, [
    stored("a", { runTimeout: { seconds: 5n } }),
    stored("b"),
  ]);
  expect(refusals).toEqual([]);
  expect(deploys.map(({ template }) => template)).toEqual(["a", "b"]);
  expect(deploys[0]).toMatchObject({
    project: "p",
    app: "bash",
    priority: 50,
    secrets: null,
    createdBy: "ada",
    buildTask: "a-uuid",
    incomingVersion: "1.0.3",
    startVersion: "",
    spec: { message: "After the success of projects/p/tasks/a-uuid (1.0.3)", runTimeoutMs: 5000 },
  });
});

test("the deploy of a deploy passes the same version on", () => {
  const deploy = { ...BUILD, version: "", incomingVersion: "1.0.2" };
  expect(deploysAfter(deploy, [stored("a")]).deploys).toMatchObject([{ incomingVersion: "1.0.2" }]);
});

test("the deploy of a task without a version has none, and its message names none", () => {
  const { deploys } = deploysAfter({ ...BUILD, version: "" }, [stored("a")]);
  expect(deploys).toMatchObject([
    { incomingVersion: "", spec: { message: "After the success of projects/p/tasks/a-uuid" } },
  ]);
});

test("a template that needs input is not run, and the others are", () => {
  const asking = stored("asking", { survey: [{ name: "stage", title: "Where to", required: true }] });
  const { deploys, refusals } = deploysAfter(BUILD, [asking, stored("other")]);
  expect(deploys.map(({ template }) => template)).toEqual(["other"]);
  expect(refusals).toEqual([
    'Cannot run projects/p/templates/asking after this task: variables["stage"]: is required: Where to',
  ]);
});

test("a template that allows its callers nothing is run, with its own variables alone", () => {
  const { deploys } = deploysAfter(BUILD, [stored("a", { variables: { size: 1 }, env: { STAGE: "x" } })]);
  expect(deploys).toMatchObject([{ spec: { variables: {}, env: {}, secretNames: [], arguments: [] } }]);
});

test("a template that the creator of the build may not run is not run", () => {
  const { deploys, refusals } = deploysAfter(BUILD, [{ ...stored("a"), isPermitted: false }]);
  expect(deploys).toEqual([]);
  expect(refusals).toEqual(["Cannot run projects/p/templates/a after this task: ada may not run it"]);
});
