import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TemplateType } from "../../../../gen/signalman/v1/template_pb.ts";
import type { Apps } from "../../../../src/jobs/apps/app.ts";
import { createLeftovers } from "../../../../src/jobs/executors/local/leftovers.ts";
import { createLocalJob, type JobInput } from "../../../../src/jobs/executors/local/local-job.ts";
import { BUILT_IN } from "../../../../src/jobs/families/all.ts";
import type { Program } from "../../../../src/jobs/job.ts";
import { createLauncher } from "../../../../src/process/launcher.ts";
import { PrepareError } from "../../../../src/task/errors.ts";
import { makeMirrors } from "../../../git/make-git.ts";
import { testIsolation } from "../../../support/isolation.ts";

let root: string;
let source: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "signalman-job-"));
  source = join(root, "source");
  mkdirSync(source);
});
afterEach(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }));

const never = new AbortController().signal;

interface Options {
  path?: string;
  app?: string;
  apps?: Apps;
  forwarded?: Record<string, string>;
  input?: Partial<JobInput>;
}

const launcher = createLauncher();

function makeJob({ path = "run", app = "sh", apps = BUILT_IN, forwarded = {}, input = {} }: Options = {}) {
  const id = randomUUID();
  const said: string[] = [];
  const tasksRoot = join(root, "tasks");
  const mirrors = makeMirrors({ root: join(root, "mirrors"), retryMs: [] });
  const ssh = { hostKeys: "strict", knownHosts: join(root, "known_hosts") } as const;
  const options = {
    tasksRoot,
    node: "n",
    apps,
    launcher,
    forwarded,
    sharedBy: () => ({ mirrors, isolation: testIsolation(), galaxyCache: join(root, "galaxy"), ssh }),
    closed: [],
    isolationExempt: [],
  };
  const job = createLocalJob(
    options,
    { id, project: "demo", template: "x", app, plan: null, executorHandle: null },
    (text) => void said.push(text),
  );
  const whole: JobInput = {
    id,
    template: {
      app,
      path,
      type: TemplateType.TASK,
      environment: "",
      survey: [],
      workingDir: "",
      gitAccess: false,
    },
    repository: {
      name: "projects/p/repositories/r",
      url: source,
      depth: 0,
      lfs: false,
      copyObjects: false,
      skipSubmodules: false,
    },
    repositoryKey: { name: "", kind: "none" },
    gitBranch: "",
    commit: "",
    message: "",
    arguments: { template: [], task: [] },
    variables: {},
    secretVariables: {},
    callerVariables: new Set(),
    secretEnv: new Set(),
    vaults: [],
    make: { targets: [] },
    ansible: {
      limit: [],
      tags: [],
      skipTags: [],
      verbosity: 0,
      check: false,
      diff: false,
      refreshRequirements: false,
    },
    env: {},
    version: "",
    incomingVersion: "",
    terraform: {
      planOnly: false,
      destroy: false,
      autoApprove: false,
      upgrade: false,
      reconfigure: false,
      stageArguments: {},
      backend: undefined,
    },
    ...input,
  };
  return { id, job, said, folder: join(tasksRoot, id), prepare: () => job.prepare(whole, never) };
}

async function stdoutOf(program: Program): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const { stream, bytes } of program.output({ stdout: 0, stderr: 0 }, never))
    if (stream === "stdout") pieces.push(Buffer.from(bytes));
  await program.ended;
  return Buffer.concat(pieces).toString();
}

/** Template with this path and working directory. */
const placed = (path: string, workingDir: string): Partial<JobInput> => ({
  template: {
    app: "sh",
    path,
    type: TemplateType.TASK,
    environment: "",
    survey: [],
    workingDir,
    gitAccess: false,
  },
});

/** Runs a script and returns its output. */
async function output(script: string, options: Options = {}): Promise<string> {
  writeFileSync(join(source, "run"), script);
  const { job, prepare } = makeJob(options);
  await prepare();
  const program = await job.start();
  const text = await stdoutOf(program);
  await job.cleanup();
  await job.forget();
  return text;
}

test("a script runs in its working directory, also through a link; one outside the repository is refused", async () => {
  mkdirSync(join(source, "a/b"), { recursive: true });
  symlinkSync("a/b", join(source, "link"));
  symlinkSync("/", join(source, "out"));
  for (const [folder, path] of [
    ["a", "../run"],
    ["link", "../../run"],
    [".", "run"],
  ] as const) {
    const text = await output('echo "$0 in $PWD $(pwd -P)"', { input: placed("run", folder) });
    const [, script, told, found] = /^(\S+) in (\S+) (\S+)$/m.exec(text) ?? [];
    expect(script).toBe(path);
    expect(told).toBe(found);
    expect(found).toMatch(new RegExp(`/work${{ a: "/a", link: "/a/b", ".": "" }[folder]}$`));
  }
  expect(await refusal({ input: placed("run", "out") })).toMatch(/^Cannot work in out: it leads out of/);
  expect(await refusal({ input: placed("run", "run") })).toMatch(
    /^Cannot work in run: it is a file, not a folder/,
  );
});

async function refusal(options: Options): Promise<string> {
  const error = await makeJob(options)
    .prepare()
    .catch((e: unknown) => e);
  expect(error).toBeInstanceOf(PrepareError);
  return (error as Error).message.replaceAll(source, "SOURCE");
}

test("a program gets its arguments, its own copy of the folder, and an environment without the server's", async () => {
  process.env.SERVER_ONLY = "not for tasks";
  const input = {
    variables: { b: "2 3", a: 1 },
    env: { MINE: "yes" },
    arguments: { template: ["-x"], task: ["-y"] },
  };
  const text = await output('printf "<%s>" "$@"; echo; pwd; env | cut -d= -f1 | sort | tr "\\n" " "', {
    input,
  });
  const [args, folder, names] = text.split("\n");
  expect(args).toBe("<-x><a=1><b=2 3><-y>");
  expect(folder).toMatch(/\/tasks\/[0-9a-f-]{36}\/work$/);
  expect(
    names
      ?.trim()
      .split(" ")
      .filter((name) => !["_", "SHLVL", "OLDPWD"].includes(name)),
  ).toEqual([
    "HOME",
    "LANG",
    "MINE",
    "PATH",
    "PWD",
    "SEMAPHORE_TASK_DETAILS_ID",
    "SEMAPHORE_TASK_DETAILS_REPOSITORY_ID",
    "SEMAPHORE_TASK_DETAILS_REPOSITORY_NAME",
    "SIGNALMAN_TASK",
    "TMPDIR",
  ]);
});

test("forwarded variables of the server reach the program; variables of users override them", async () => {
  const forwarded = { PROXY: "server", ZONE: "server" };
  const text = await output('echo "$PROXY $ZONE"', { forwarded, input: { env: { ZONE: "user" } } });
  expect(text).toBe("server user\n");
});

test("HOME and TMPDIR are empty folders of the task", async () => {
  expect(
    await output('[ "$HOME" != "$TMPDIR" ] && ls -A "$HOME" "$TMPDIR" | grep -v : | tr -d "\\n"; echo end'),
  ).toBe("end\n");
});

test("an app that the operator declares starts with its own arguments", async () => {
  const apps = { ...BUILT_IN, strict: { command: "sh", args: ["-eu"] } };
  expect(await output("echo $-; echo $nothing; echo not reached", { app: "strict", apps })).toMatch(
    /^\w*eu?\w*\n$/,
  );
});

test("Python's output is not delayed", async () => {
  expect(await output("import sys; print(sys.stdout.write_through)", { app: "python" })).toBe("True\n");
});

test("cleanup leaves nothing but the spool, forget leaves nothing", async () => {
  writeFileSync(join(source, "run"), "mkdir sub; touch sub/x; chmod 500 sub; echo out");
  const { job, folder, prepare } = makeJob();
  await prepare();
  const program = await job.start();
  await program.ended;
  await job.cleanup();
  expect(["work", "home", "tmp"].filter((name) => existsSync(join(folder, name)))).toEqual([]);
  expect(await stdoutOf(program)).toBe("out\n");
  await job.forget();
  expect(existsSync(folder)).toBe(false);
});

test("a program that was never started cannot be attached to", async () => {
  writeFileSync(join(source, "run"), "true");
  const { job, prepare } = makeJob();
  await prepare();
  expect(await job.attach()).toBeUndefined();
});

test("a task whose folder is gone is lost, as after the restore of an older database", async () => {
  expect(await makeJob().job.attach()).toBe("lost");
});

test("kept bytes stay until the task is forgotten; kept bytes that cannot be read are an error", async () => {
  writeFileSync(join(source, "run"), "true");
  const { prepare, job, folder } = makeJob();
  await prepare();
  expect(await job.kept()).toBeUndefined();
  for (const text of ["first", "second"]) await job.keep(Buffer.from(text));
  expect(String(await job.kept())).toBe("second");
  rmSync(join(folder, "kept"));
  mkdirSync(join(folder, "kept"));
  await expect(job.kept()).rejects.toThrow("it is a folder");
  await job.forget();
  expect(await job.kept()).toBeUndefined();
});

test("leftovers are removed and their processes killed; those of adopted tasks stay", async () => {
  writeFileSync(join(source, "run"), "sleep 600");
  const [lost, kept] = [makeJob(), makeJob()];
  const programs = [];
  for (const { prepare, job } of [lost, kept]) {
    await prepare();
    programs.push(await job.start());
  }
  await createLeftovers({ tasksRoot: join(root, "tasks"), node: "n", onStuck() {} }).clearAllBut([kept.id]);
  expect((await programs[0]?.ended)?.exit).not.toMatchObject({ code: 0 });
  expect([existsSync(lost.folder), existsSync(kept.folder)]).toEqual([false, true]);
  programs[1]?.kill({ graceMs: 0 });
  await programs[1]?.ended;
});

describe("a task that cannot run is explained in a sentence", () => {
  test("an app that is not declared", async () => {
    expect(await refusal({ app: "cobol" })).toBe(
      `Cannot run app cobol: this server knows ${Object.keys(BUILT_IN).sort().join(", ")}. Declare it in SIGNALMAN_APPS`,
    );
  });

  test("an app with the name of a property that all objects have", async () => {
    expect(await refusal({ app: "constructor" })).toMatch(/^Cannot run app constructor: this server knows/);
  });

  test("a script that does not exist", async () => {
    expect(await refusal({ path: "no/such" })).toBe(
      "Cannot run no/such: there is no such file in projects/p/repositories/r (SOURCE)",
    );
  });

  test("a folder instead of a script", async () => {
    mkdirSync(join(source, "sub"));
    expect(await refusal({ path: "sub" })).toBe("Cannot run sub: it is a folder, not a file");
  });

  test("a link that leads out of the repository", async () => {
    symlinkSync("/bin/sh", join(source, "run"));
    expect(await refusal({})).toBe("Cannot run run: it leads out of projects/p/repositories/r");
  });

  test("a path that leads out of the repository", async () => {
    expect(await refusal({ path: "../home" })).toBe(
      "Cannot run ../home: it leads out of projects/p/repositories/r",
    );
  });

  test("a program that is not installed", async () => {
    writeFileSync(join(source, "run"), "");
    const apps = { none: { command: "no-such-program", args: [] } };
    expect(await refusal({ app: "none", apps, input: { env: { PATH: "/bin:/opt" } } })).toBe(
      "Cannot run app none: there is no program no-such-program on this server (no folder of its PATH has it); install it",
    );
  });

  test("a data folder that is a file", async () => {
    writeFileSync(join(root, "tasks"), "");
    expect(await refusal({})).toMatch(/^Cannot make the task's folder .*: /);
  });

  test("a start without preparation", async () => {
    await expect(makeJob().job.start()).rejects.toThrow("Cannot start a task that was not prepared");
  });
});
