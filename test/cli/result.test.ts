import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { TaskResultSchema } from "../../gen/signalman/v1/task_pb.ts";
import { resultLines } from "../../src/cli/result.ts";

const linesOf = (app: MessageInitShape<typeof TaskResultSchema>["app"]) =>
  resultLines(create(TaskResultSchema, { app }));

test("shows the recap of a playbook's hosts as a table, with failures below it", () => {
  const value = {
    hosts: [
      { host: "web-1", ok: 12, changed: 3 },
      { host: "db", ok: 1, failed: 1, ignored: 1 },
    ],
    failures: [
      { host: "db", task: "Try", message: "no", ignored: true },
      { host: "db", task: "Start", message: "no such service\nat all" },
      { host: "gone", task: "Gathering Facts", unreachable: true, message: "timed out" },
    ],
  };
  expect(linesOf({ case: "ansible", value })).toEqual([
    "host   ok  changed  unreachable  failed  skipped  rescued  ignored",
    "web-1  12  3        0            0       0        0        0",
    "db     1   0        0            1       0        0        1",
    "db: Start failed: no such service",
    "gone: Gathering Facts could not reach it: timed out",
  ]);
});

test("shows the counts of Terraform's changes, applied or planned", () => {
  const counts = { added: 1, changed: 2, destroyed: 3 };
  expect(linesOf({ case: "terraform", value: counts })).toEqual(["1 to add, 2 to change, 3 to destroy"]);
  expect(linesOf({ case: "terraform", value: { ...counts, applied: true } })).toEqual([
    "1 added, 2 changed, 3 destroyed",
  ]);
});
