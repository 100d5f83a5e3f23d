import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TemplateType } from "../../../../gen/signalman/v1/template_pb.ts";
import { BUILT_IN } from "../../../../src/jobs/families/all.ts";
import {
  backendOverride,
  type TerraformInput,
  terraformEnvironment,
  terraformStages,
} from "../../../../src/jobs/families/terraform/terraform.ts";
import { countChanges } from "../../../../src/jobs/families/terraform/terraform-counts.ts";
import { driverScript, readProgress } from "../../../../src/jobs/families/terraform/terraform-driver.ts";
import { carry } from "../../../../src/process/carried-environment.ts";

const input: TerraformInput = {
  id: "id",
  message: "",
  gitBranch: "",
  template: { type: TemplateType.TASK, survey: [] },
  repository: { name: "projects/p/repositories/r" },
  version: "",
  incomingVersion: "",
  arguments: { template: ["-refresh=false"], task: ["-target=a"] },
  variables: {},
  secretVariables: { password: "hidden" },
  callerVariables: new Set(),
  env: { TF_LOG: "warn", TF_INPUT: "1" },
  terraform: {
    planOnly: false,
    destroy: false,
    autoApprove: false,
    upgrade: false,
    reconfigure: false,
    stageArguments: {},
    backend: undefined,
  },
};
const files = {
  plan: "/t/plan",
  variables: ["/t/open.json", "/t/secret.json"],
  answers: ["/t/asked.json"],
  backend: "/t/backend.json",
};
const { terraform, tofu, terragrunt } = BUILT_IN as Required<typeof BUILT_IN>;
const base = { PATH: "/bin", HOME: "/h", TMPDIR: "/t", LANG: "C" };

describe("arguments of the stages", () => {
  test("variables and arguments go to plan; apply gets only the plan file", () => {
    for (const app of [terraform, tofu]) {
      const stages = terraformStages(app as never, input, files, "staging");
      expect(stages.init).toEqual(["init", "-input=false", "-backend-config=/t/backend.json"]);
      expect(stages.workspace?.select).toEqual(["workspace", "select", "-or-create=true", "staging"]);
      expect(stages.plan).toEqual([
        "plan",
        "-lock-timeout=5s",
        "-var-file=/t/open.json",
        "-var-file=/t/secret.json",
        "-refresh=false",
        "-var-file=/t/asked.json",
        "-target=a",
        "-input=false",
        "-detailed-exitcode",
        "-out=/t/plan",
      ]);
      expect(stages.apply).toEqual(["apply", "-lock-timeout=5s", "-input=false", "/t/plan"]);
    }
  });

  test("with ephemeral variables, apply gets the arguments that set variables, in the order of plan", () => {
    const mixed = [
      "-target=-var",
      "-var=a=1",
      "--var",
      "b=-var",
      "-compact-warnings",
      "-var-file",
      "x",
      "-variety=1",
    ];
    const args = { template: mixed, task: ["-var=c={}", "-lock=false"] };
    const { applyWithVariables } = terraformStages(
      terraform as never,
      { ...input, arguments: args },
      files,
      undefined,
    );
    expect(applyWithVariables).toEqual([
      ...["apply", "-lock-timeout=5s", "-var-file=/t/open.json", "-var-file=/t/secret.json"],
      ...["-var=a=1", "--var", "b=-var", "-var-file", "x", "-var-file=/t/asked.json", "-var=c={}"],
      ...["-input=false", "/t/plan"],
    ]);
  });

  test("a stage's own arguments replace only the template's arguments (weakness 11)", () => {
    const own = {
      ...input,
      terraform: {
        ...input.terraform,
        destroy: true,
        upgrade: true,
        reconfigure: true,
        stageArguments: { init: ["-get=false"], plan: ["-refresh-only"], apply: ["-parallelism=1"] },
      },
    };
    const stages = terraformStages(terraform as never, own, files, undefined);
    expect(stages.workspace).toBeUndefined();
    expect(stages.init.slice(0, 5)).toEqual([
      "init",
      "-get=false",
      "-input=false",
      "-upgrade",
      "-reconfigure",
    ]);
    expect(stages.plan).toContain("-destroy");
    expect(stages.plan).toContain("-refresh-only");
    expect(stages.plan).not.toContain("-refresh=false");
    expect(stages.plan.filter((arg) => arg.startsWith("-var-file="))).toHaveLength(3);
    expect(stages.apply).toContain("-parallelism=1");
  });

  test("Terragrunt runs each stage by `run --`, with the Terraform that TG_TF_PATH names", () => {
    const stages = terraformStages(terragrunt as never, input, files, "staging");
    for (const stage of [
      stages.init,
      stages.workspace?.show ?? [],
      stages.workspace?.select ?? [],
      stages.plan,
      stages.show.json,
      stages.apply,
    ]) {
      expect(stage.slice(0, 2)).toEqual(["run", "--"]);
    }
    const env = terraformEnvironment(terragrunt as never, { ...input, env: { TG_TF_PATH: "tofu" } }, base);
    expect(env).toMatchObject({ TG_TF_PATH: "tofu", TG_NON_INTERACTIVE: "true" });
  });
});

test("the environment turns prompts off and contains no Terraform variables", () => {
  const env = terraformEnvironment(terraform as never, input, base);
  expect(env).toEqual({
    ...base,
    TF_IN_AUTOMATION: "1",
    CHECKPOINT_DISABLE: "1",
    TF_LOG: "warn",
    TF_INPUT: "0",
  });
});

test("the environment contains a build's version, which the task cannot override", () => {
  const build = { ...input, template: { type: TemplateType.BUILD, survey: [] }, version: "1.0.3" };
  const env = terraformEnvironment(
    terraform as never,
    { ...build, env: { SEMAPHORE_TASK_TYPE: "forged" } },
    base,
  );
  expect(env).toMatchObject({ SEMAPHORE_TASK_TYPE: "build", SEMAPHORE_TASK_TARGET_VERSION: "1.0.3" });
});

test("a backend is overridden by its type only; its settings are in another file", () => {
  expect(backendOverride("http")).toEqual({ terraform: { backend: { http: {} } } });
});

test("a replacement counts as one added and one destroyed; actions elsewhere in the JSON are not counted", async () => {
  const actions = [
    ["no-op"],
    ["read"],
    ["create"],
    ["update"],
    ["delete"],
    ["delete", "create"],
    ["create", "delete"],
  ];
  const decoy = { change: { actions: ["create"] } };
  const plan = {
    resource_drift: [decoy],
    resource_changes: actions.map((of) => ({
      address: 'x["}]"]',
      change: { before: { resource_changes: [decoy], actions: ["create"] }, actions: of, after: '\\"[{' },
    })),
    output_changes: { resource_changes: decoy, ...decoy },
  };
  for (const text of [JSON.stringify(plan), JSON.stringify(plan, null, 2)]) {
    const bytes = Buffer.from(text);
    expect(await countChanges([bytes])).toEqual({ add: 3, change: 1, destroy: 3 });
    const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
    expect(await countChanges(single)).toEqual({ add: 3, change: 1, destroy: 3 });
  }
  expect(await countChanges([Buffer.from("{}")])).toEqual({ add: 0, change: 0, destroy: 0 });
  for (const length of [0, 1, 60, JSON.stringify(plan).length - 1])
    await expect(countChanges([Buffer.from(JSON.stringify(plan).slice(0, length))])).rejects.toThrow(
      "incomplete",
    );
  await expect(countChanges([Buffer.from("Error: no plan")])).rejects.toThrow("is not JSON");
});

describe("the script", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "signalman-driver-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Runs the script with a fake Terraform that records its calls and exits with given codes. */
  async function drive(codes: Record<string, number>, then: "apply" | "confirm" | "end") {
    const terraformed = join(folder, "it's terraform");
    const cases = Object.entries(codes).map(([stage, code]) => `${stage}) exit ${code} ;;`);
    await writeFile(
      terraformed,
      `#!/bin/sh\necho "$*" >>"${folder}/calls"\ncase $1 in ${cases.join(" ")} esac\n`,
      { mode: 0o700 },
    );
    const stages = terraformStages(terraform as never, input, files, undefined);
    const paths = {
      stages: join(folder, "stages"),
      planJson: join(folder, "json"),
      planText: join(folder, "text"),
      outputs: join(folder, "outputs"),
    };
    const script = driverScript({ restore: [], command: terraformed }, stages, paths, then);
    let code = 0;
    try {
      execFileSync("/bin/sh", ["-c", script]);
    } catch (error) {
      code = (error as { status: number }).status;
    }
    const calls = (await readFile(join(folder, "calls"), "utf8")).trim().split("\n");
    return {
      code,
      calls: calls.map((call) => call.split(" ")[0]),
      progress: readProgress(existsSync(paths.stages) ? await readFile(paths.stages, "utf8") : ""),
    };
  }

  test("ends after the plan if there are no changes", async () => {
    const { code, calls, progress } = await drive({ plan: 0 }, "apply");
    expect([code, calls]).toEqual([0, ["init", "plan", "output"]]);
    expect(progress).toEqual({
      hasPlanned: true,
      hasChanges: false,
      hasApplied: false,
      isEphemeral: false,
      waits: false,
    });
  });

  test("shows changes, and then applies them, waits or ends", async () => {
    const shown = ["init", "plan", "show", "show"];
    const applied = await drive({ plan: 2 }, "apply");
    expect(applied).toMatchObject({
      code: 0,
      calls: [...shown, "apply", "output"],
      progress: { hasApplied: true },
    });
    await rm(join(folder, "calls"));
    await rm(join(folder, "stages"));
    const waiting = await drive({ plan: 2 }, "confirm");
    expect(waiting).toMatchObject({ code: 0, calls: shown, progress: { hasChanges: true, waits: true } });
    await rm(join(folder, "calls"));
    await rm(join(folder, "stages"));
    const ended = await drive({ plan: 2 }, "end");
    expect(ended).toMatchObject({ code: 0, calls: shown, progress: { hasChanges: true, waits: false } });
  });

  test("gives each stage the exact environment, although the shell changes its own", async () => {
    const given = {
      PATH: "/usr/bin:/bin",
      OPTIND: "abc",
      name: "Ada",
      code: "",
      stopped: "no",
      "a.b": "'$1'",
    };
    const { variables, restore } = carry(given);
    const seen = join(folder, "seen");
    const stages = terraformStages(terraform as never, input, files, undefined);
    const note = "import sys; open(sys.argv[1], 'ab').write(open('/proc/self/environ', 'rb').read())";
    const show = { restore: [...restore, "/usr/bin/python3", "-c", note], command: seen };
    const paths = {
      stages: join(folder, "stages"),
      planJson: "/dev/null",
      planText: "/dev/null",
      outputs: join(folder, "outputs"),
    };
    const env = { PATH: process.env.PATH, ...variables, SIGNALMAN_TASK: "its.marker" };
    execFileSync("/bin/sh", ["-c", driverScript(show, stages, paths, "end")], { env });
    const [first, ...others] = (await readFile(seen, "utf8")).split("SIGNALMAN_TASK=its.marker\0").slice(1);
    expect(first?.split("\0").slice(0, -1)).toEqual(Object.entries(given).map((pair) => pair.join("=")));
    expect(others).toEqual([first, first]);
  });

  test("ends at the first stage that fails, with its exit code", async () => {
    expect(await drive({ init: 3 }, "apply")).toMatchObject({ code: 3, calls: ["init"] });
    await rm(join(folder, "calls"));
    expect(await drive({ plan: 1 }, "apply")).toMatchObject({ code: 1, calls: ["init", "plan"] });
    await rm(join(folder, "calls"));
    expect(await drive({ plan: 2, apply: 7 }, "apply")).toMatchObject({
      code: 7,
      progress: { hasApplied: false },
    });
  });
});
