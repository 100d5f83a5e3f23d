import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RepositoryService } from "../../gen/signalman/v1/repository_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../gen/signalman/v1/template_pb.ts";
import { startService, type TestService } from "../support/service.ts";
import { cli } from "./cli.ts";

let service: TestService;
let folder: string;

const CATALOG = `# a catalog
project: { name: shop, maxParallelTasks: 2 }
repositories:
  - { name: scripts, url: ./scripts }
environments:
  - { name: defaults, env: { STAGE: dev } }
templates:
  - name: hello
    app: bash
    repository: scripts
    path: hello.sh
    environment: defaults
    runTimeout: 90s
`;

beforeAll(async () => {
  service = await startService();
  folder = await mkdtemp(join(tmpdir(), "signalman-apply-"));
  await mkdir(join(folder, "scripts"));
  await writeFile(join(folder, "scripts/hello.sh"), "echo hello");
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await service[Symbol.asyncDispose]();
});

async function apply(text: string, ...options: string[]) {
  const file = join(folder, "catalog.yaml");
  await writeFile(file, text);
  const result = await cli(["apply", file, ...options], { server: service.url });
  return { ...result, stderr: result.stderr.replaceAll(folder, "") };
}

describe("signalman apply", () => {
  test("prints a line for each resource that it changed or would change", async () => {
    const dry = await apply(CATALOG, "--dry-run");
    expect(dry).toMatchObject({ code: 0, stderr: "" });
    expect(dry.stdout).toMatch(/would be: 4 created\n$/);

    const { stdout } = await apply(CATALOG);
    expect(stdout.split("\n")).toEqual([
      "+ projects/shop",
      expect.stringContaining("+ projects/shop/"),
      expect.stringContaining("+ projects/shop/"),
      expect.stringContaining("+ projects/shop/"),
      "4 created",
      "",
    ]);

    const changed = await apply(
      CATALOG.replace("90s", "5s")
        .replace("defaults, env", "others, env")
        .replace("environment: defaults", ""),
    );
    expect(changed.stdout).toContain("= projects/shop\n");
    expect(changed.stdout).toMatch(/^~ projects\/shop\/templates\/hello \(.*run_timeout.*\)$/m);
    expect(changed.stdout).toContain("! projects/shop/environments/defaults\n");
    const pruned = await apply(
      CATALOG.replace("defaults, env", "others, env").replace("environment: defaults", ""),
      "--prune",
    );
    expect(pruned.stdout).toContain("- projects/shop/environments/defaults\n");
  });

  test("warns of apps that the server does not know, and of folders that it does not have", async () => {
    const doubtful = CATALOG.replace("name: shop", "name: doubtful")
      .replace("app: bash", "app: bsh")
      .replace("./scripts", "./script");
    for (const options of [["--dry-run"], []]) {
      const { code, stderr } = await apply(doubtful, ...options);
      expect(code).toBe(0);
      expect(stderr.split("\n")).toEqual([
        expect.stringMatching(
          /^signalman: warning: \/catalog.yaml:9: templates\[0\]\.app: unknown app bsh on this server; it has .*bash/,
        ),
        "signalman: warning: /catalog.yaml:4: repositories[0].url: there is no folder /script on this server",
        "",
      ]);
    }
    expect((await apply(doubtful, "--json")).stdout).toContain('"field":"catalog.templates[0].app"');
    expect((await apply(CATALOG)).stderr).toBe("");
  });

  test("--dry-run --prune prints the changes and obstacles, with the exit code of the apply itself", async () => {
    await apply(CATALOG.replace("name: shop", "name: busy"));
    await writeFile(join(folder, "scripts/hello.sh"), "exec sleep 600");
    const tasks = service.client(TaskService);
    const { task } = await tasks.runTask({ template: "projects/busy/templates/hello" });
    const bare = "project: { name: busy }\n";
    const dry = await apply(bare, "--dry-run", "--prune");
    expect(dry.stdout).toMatch(/^- projects\/busy\/templates\/hello$/m);
    expect(dry.stdout).toMatch(/would be: .* deleted\n$/);
    const why = `Cannot delete projects/busy/templates/hello: ${task?.name} has not ended`;
    expect(dry).toMatchObject({ code: 2, stderr: `signalman: ${why}\n` });
    const real = await apply(bare, "--prune");
    expect(real).toMatchObject({ code: 2, stdout: "" });
    expect(real.stderr).toContain(why);
    await tasks.killTask({ name: task?.name ?? "", force: true });
    await writeFile(join(folder, "scripts/hello.sh"), "echo hello");
  });

  test("resolves a relative URL against the folder of the file", async () => {
    await apply(CATALOG);
    const name = "projects/shop/repositories/scripts";
    const { repository } = await service.client(RepositoryService).getRepository({ name });
    expect(repository?.url).toBe(join(folder, "scripts"));
  });

  test("reads JSON and stdin", async () => {
    const json = JSON.stringify({ project: { name: "other", max_parallel_tasks: 3 } }, null, "\t");
    const result = await cli(["apply", "-", "--json"], { server: service.url, input: json });
    expect(result.code).toBe(0);
    expect(JSON.parse(result.stdout).changes).toEqual([
      { name: "projects/other", action: "CATALOG_ACTION_CREATE" },
    ]);
  });

  test("reads YAML merge keys; keys beside one override it", async () => {
    const result = await apply(`project: { name: merging }
repositories: [{ name: scripts, url: ./scripts }]
templates:
  - &one { name: one, app: bash, repository: scripts, path: hello.sh, env: &env { STAGE: dev, REGION: eu } }
  - { <<: *one, name: two, env: { <<: *env, STAGE: prod } }
`);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const name = "projects/merging/templates/two";
    const { template } = await service.client(TemplateService).getTemplate({ name });
    expect(template).toMatchObject({ path: "hello.sh", env: { STAGE: "prod", REGION: "eu" } });
  });

  test("names file and line of broken YAML", async () => {
    const { code, stderr } = await apply("project:\n  name: a\n name: b\n");
    expect(code).toBe(2);
    expect(stderr).toMatch(/^signalman: \/catalog.yaml:3: /);
  });

  test("names file, line and path of invalid merges and of aliases without an anchor", async () => {
    const { code, stderr } = await apply(`project: &p
  name: a
  labels: { <<: !file missing.yaml }
templates:
  - &one { &key name: one, path: *key }
  - <<: [*one, { env: { A: *none } }]
  - app: *p

    <<: 1
  - <<: [*one, *one, 2]
  - hooks: &hooks [*hooks]
`);
    expect(code).toBe(2);
    const only = "the merge key << takes only a map or a list of maps";
    expect(stderr.trim().split("\n")).toEqual([
      `signalman: /catalog.yaml:3: project.labels["<<"]: !file works in secret fields alone; apply --allow-tags allows it in every field`,
      `signalman: /catalog.yaml:3: project.labels["<<"]: ${only}`,
      `signalman: /catalog.yaml:6: templates[1]["<<"][1].env.A: there is no &none before it`,
      `signalman: /catalog.yaml:9: templates[2]["<<"]: ${only}`,
      `signalman: /catalog.yaml:10: templates[3]["<<"]: ${only}`,
      "signalman: /catalog.yaml:11: templates[4].hooks[0]: there is no &hooks before it",
    ]);
  });

  test("names path and line of every unknown field and value", async () => {
    const text = `project: { name: a, colour: red }
templates:
  - name: x
    app: 7
    env: { A: [1], "b c": yes, D: 1 }
  - name: y
    survey: [ { name: q, type: SURVEY_TYPE_TXT } ]
    runTimeout: soon
    arguments: [a, 1]
`;
    const { code, stderr } = await apply(text);
    expect(code).toBe(2);
    const lines = stderr.trim().split("\n");
    expect(
      lines.map((line) =>
        line
          .replace(/^signalman: /, "")
          .split(": ")
          .slice(0, 2)
          .join(" "),
      ),
    ).toEqual([
      "/catalog.yaml:1 project.colour",
      "/catalog.yaml:4 templates[0].app",
      "/catalog.yaml:5 templates[0].env.A",
      "/catalog.yaml:7 templates[1].survey[0].type",
      "/catalog.yaml:8 templates[1].runTimeout",
      "/catalog.yaml:9 templates[1].arguments[1]",
    ]);
  });

  test("names file and line of fields that the service refuses", async () => {
    const { code, stderr } = await apply(
      CATALOG.replace("app: bash", 'app: ""').replace("90s", "0.5s").replace("{ name: shop", '{ name: "a b"'),
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(/^signalman: \/catalog.yaml:2: project.name: /m);
    expect(stderr).toMatch(/^signalman: \/catalog.yaml:13: templates\[0\].runTimeout: /m);
    expect(stderr).toMatch(/^signalman: \/catalog.yaml:9: templates\[0\].app: /m);
  });

  test("spells a field as the file does", async () => {
    for (const field of ["maxParallelTasks", "max_parallel_tasks"]) {
      const { stderr } = await apply(`project: { name: shop, ${field}: -1 }`);
      expect(stderr).toContain(`/catalog.yaml:1: project.${field}: `);
    }
  });

  test("says which inventory has no source", async () => {
    const { stderr } = await apply("project: { name: shop }\ninventories: [{ name: hosts }]");
    expect(stderr).toMatch(/:2: inventories\[0\]: One of .* is required; got none$/m);
  });

  test("refuses stdin that is not UTF-8", async () => {
    const { stderr } = await cli(["apply", "-"], { server: service.url, input: Buffer.from([0xff]) });
    expect(stderr).toMatch(/^signalman: cannot read stdin: /);
  });

  test("an empty file is an error", async () => {
    const { code, stderr } = await apply("");
    expect(code).toBe(2);
    expect(stderr).toMatch(/catalog.yaml/);
  });
});
