import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Task } from "../../gen/signalman/v1/task_pb.ts";
import { TaskStatus } from "../../gen/signalman/v1/task_pb.ts";
import type { RunTaskRequestSchema } from "../../gen/signalman/v1/task_service_pb.ts";
import { SurveyType } from "../../gen/signalman/v1/template_pb.ts";
import { applyPlaybooks } from "../jobs/families/ansible/scene.ts";
import { openSql, refusal } from "../rpc/support.ts";
import { hasAnsible, NO_ANSIBLE } from "../support/ansible.ts";
import { applyDemo, endOf, runDemo, watchToEnd } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { textsOf } from "../watch/events.ts";

/*
 * Programs that start another program when a variable is set. Each runs as its author set it up, to show that the variable has
 * that effect, and is then refused from a caller, whom the template allows everything.
 */

type Request = MessageInitShape<typeof RunTaskRequestSchema>;

let service: TestService;
let folder: string;
beforeAll(async () => {
  service = await startService({
    env: { SIGNALMAN_FORWARDED_ENV: "OPERATORS_PROXY", OPERATORS_PROXY: "here" },
  });
  folder = join(service.dataDir, "from-elsewhere");
  mkdirSync(folder);
  writeFileSync(join(folder, "begin.sh"), 'echo "begun elsewhere"\n');
  writeFileSync(join(folder, "begin.cjs"), 'console.log("begun elsewhere");\n');
  writeFileSync(join(folder, "beginning.py"), 'print("begun elsewhere")\n');
});
afterAll(() => service[Symbol.asyncDispose]());

async function ended(template: string, request: Request = {}): Promise<{ end: Task; lines: string[] }> {
  const events = await watchToEnd(service, (await runDemo(service, template, request)).name);
  return { end: endOf(events), lines: textsOf(events) };
}

const cases: [string, string, (folder: string) => Record<string, string>][] = [
  ["bash", "BASH_ENV", (from) => ({ BASH_ENV: `${from}/begin.sh` })],
  ["node", "NODE_OPTIONS", (from) => ({ NODE_OPTIONS: `--require=${from}/begin.cjs` })],
  ["python", "PYTHONWARNINGS", (from) => ({ PYTHONWARNINGS: "default:0:beginning.x:0:0", PYTHONPATH: from })],
];

test.each(cases)("%s runs what %s names, and no caller can set it", async (app, name, env) => {
  const names = env(folder);
  await applyDemo(service, {
    author: { script: "", app, env: names },
    caller: { script: "", app },
  });
  const { end, lines } = await ended("author");
  expect(end.status).toBe(TaskStatus.SUCCESS);
  expect(lines.join("\n")).toContain("begun elsewhere");
  for (const key of ["env", "secretVariables"] as const)
    expect(await refusal(runDemo(service, "caller", { [key]: { [name]: names[name] ?? "" } }))).toMatchObject(
      {
        reason: "NAME_REFUSED",
      },
    );
  expect((await ended("caller", { env: { STAGE: "prod" } })).lines.join("\n")).not.toContain(
    "begun elsewhere",
  );
});

test("Ansible connects as its variables say, and a caller sets them only if the survey asks", async (context) => {
  if (!hasAnsible) context.skip(NO_ANSIBLE);
  const mark = join(folder, "connected");
  const site = "- { hosts: all, gather_facts: false, tasks: [{ raw: 'true' }] }\n";
  const inventory = { name: "far", source: { case: "ini", value: "far ansible_host=192.0.2.1\n" } } as const;
  await applyPlaybooks(
    service,
    { "site.yml": site },
    {
      author: {
        inventory: "far",
        env: { ANSIBLE_SSH_ARGS: `-o ProxyCommand='touch ${mark}'` },
        path: "site.yml",
      },
      caller: { inventory: "far", path: "site.yml" },
      asked: { inventory: "far", path: "site.yml", survey: [{ name: "ansible_connection" }] },
    },
    { inventories: [inventory] },
  );
  expect((await ended("author")).end.status).toBe(TaskStatus.ERROR);
  expect(existsSync(mark)).toBe(true);
  const local = { variables: { ansible_connection: "local" } };
  // Ansible would connect to the host of this name.
  const elsewhere = { variables: { inventory_hostname: "192.0.2.2" } };
  for (const request of [{ env: { ANSIBLE_SSH_ARGS: "-v" } }, local, elsewhere])
    expect(await refusal(runDemo(service, "caller", request))).toMatchObject({ reason: "NAME_REFUSED" });
  expect((await ended("asked", local)).end.status).toBe(TaskStatus.SUCCESS);
});

test("a secret variable does not replace what the operator forwards, unless the template allows it", async () => {
  const script = 'echo "$OPERATORS_PROXY"';
  const survey = [{ name: "OPERATORS_PROXY", type: SurveyType.SECRET }];
  await applyDemo(service, {
    extra: { script, allowOverrideEnv: [] },
    listed: { script, allowOverrideEnv: ["OPERATORS_PROXY"] },
    asking: { script, allowOverrideEnv: [], survey },
  });
  const request = { secretVariables: { OPERATORS_PROXY: "elsewhere" } };
  expect((await ended("extra")).lines.join("\n")).toContain("here");
  const { end } = await ended("extra", request);
  expect(end.end?.message).toMatch(/^Cannot set secret variable OPERATORS_PROXY: .*allow_override_env/);
  for (const template of ["listed", "asking"]) {
    const { lines } = await ended(template, request);
    expect(lines.join("\n")).toMatch(/:\*\*\*$/m);
  }
});

test("a stored template keeps a variable that its script reads as an option, and the log warns of it", async () => {
  await applyDemo(service, { tool: 'echo "got $*"' });
  const sql = openSql(service);
  await sql`UPDATE templates SET restricts_callers = false,
    spec = spec - 'allowOverrideEnv' - 'allowExtraVariables' || '{"variables": {"--rcfile": "x"}}' WHERE name = 'tool'`;
  await sql.end();
  const { lines } = await ended("tool", { env: { STAGE: "prod" } });
  expect(lines.join("\n")).toContain("got --rcfile=x");
  expect(lines.join("\n")).toMatch(/"--rcfile" will be refused from 0\.3 on: app bash accepts only/);
  expect(await refusal(runDemo(service, "tool", { variables: { "--rcfile": "y" } }))).toMatchObject({
    reason: "NAME_REFUSED",
  });
});
