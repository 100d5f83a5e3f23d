import { create, type JsonObject } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { RunTaskRequestSchema } from "../../gen/signalman/v1/task_service_pb.ts";
import { SurveyType, TemplateSchema } from "../../gen/signalman/v1/template_pb.ts";
import { newTask } from "../../src/submission/new-task.ts";
import { Failure } from "../../src/task/errors.ts";

const template = create(TemplateSchema, {
  name: "projects/p/templates/t",
  app: "bash",
  allowExtraVariables: true,
  survey: [
    { name: "text", type: SurveyType.TEXT },
    { name: "plain" },
    { name: "choice", type: SurveyType.ENUM, values: [{ value: "1" }, { value: "true" }] },
    { name: "count", type: SurveyType.INT },
  ],
});

const stored = (variables: JsonObject) =>
  newTask(
    { template, environment: undefined },
    create(RunTaskRequestSchema, { template: template.name, variables }),
  ).spec.variables;

describe("answers", () => {
  test("to questions of text and of a choice are stored as text", () => {
    expect(stored({ text: 1234, plain: false, choice: 1 })).toEqual({
      text: "1234",
      plain: "false",
      choice: "1",
    });
    expect(stored({ text: 0.5, choice: true, plain: "0123" })).toEqual({
      text: "0.5",
      choice: "true",
      plain: "0123",
    });
  });

  test("to other questions, and variables without a question, are not changed", () => {
    const variables = { count: 5, other: 5, flag: true, list: [1], nothing: null };
    expect(stored(variables)).toEqual(variables);
    expect(stored({ count: "0123" })).toEqual({ count: "0123" });
  });

  test.each([[null], [[1]], [{ a: 1 }]])("that are not text are refused: %j", (value) => {
    expect(() => stored({ text: value })).toThrow(Failure);
    expect(() => stored({ text: value })).toThrow(
      /^variables\["text"\]: must be text, a number or a boolean, not /,
    );
  });
});
