import { afterAll, beforeAll, expect, test } from "vitest";
import { EnvironmentService } from "../../gen/signalman/v1/environment_pb.ts";
import { HookEvent } from "../../gen/signalman/v1/hook_pb.ts";
import { TemplateService } from "../../gen/signalman/v1/template_pb.ts";
import { applyDemo, bytesOf, endOf, runDemo, watchToEnd } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";

const STDOUT = 1;
const SYSTEM = 3;
const LARGEST = "x".repeat(131_000 - "VARIABLE=".length);

let service: TestService;
beforeAll(async () => {
  service = await startService();
  await applyDemo(service, {
    sizes: 'echo "sizes $# $(printf %s "$1" | wc -c) $(printf %s "$VARIABLE" | wc -c)"',
  });
});
afterAll(() => service[Symbol.asyncDispose]());

test("the largest values that RunTask accepts reach the program, and so does the largest number of them", async () => {
  const values = (prefix: string, count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, LARGEST]));
  const [variables, env] = [values("VARIABL", 7), values("OTHERVA", 3)];
  const task = await runDemo(service, "sizes", { variables, env, secretVariables: { VARIABLE: LARGEST } });
  const events = await watchToEnd(service, task.name);
  expect(bytesOf(events, STDOUT).toString()).toBe(`sizes 7 131000 ${LARGEST.length}\n`);
  expect(endOf(events).end?.message).toBe("");
});

test("secrets of an environment that are too large together fail the task and its hook with a message", async () => {
  const secretVariables = Object.fromEntries(
    Array.from({ length: 30 }, (_, i) => [`S${i}`, "y".repeat(100_000)]),
  );
  await service
    .client(EnvironmentService)
    .createEnvironment({ parent: "projects/demo", environmentId: "large", environment: { secretVariables } });
  const kind = { case: "program" as const, value: { app: "bash", script: "true" } };
  await service.client(TemplateService).updateTemplate({
    template: {
      name: "projects/demo/templates/sizes",
      environment: "projects/demo/environments/large",
      hooks: [{ name: "before", event: HookEvent.BEFORE_TASK, kind }],
    },
  });
  const task = await runDemo(service, "sizes");
  const events = await watchToEnd(service, task.name);
  const told = `${endOf(events).end?.message}\n${bytesOf(events, SYSTEM)}`;
  expect(told).toMatch(
    /arguments and environment are too large: 30\d{5} bytes, of which the variable S\d+ has 100000/,
  );
  expect(told).not.toMatch(/E2BIG|y{20}/);
});
