import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { AccessKeyService } from "../../gen/signalman/v1/access_key_pb.ts";
import { keyLike } from "../support/private-key.ts";
import { startService, type TestService } from "../support/service.ts";
import { cli } from "./cli.ts";

const QUICKSTART = fileURLToPath(new URL("../../examples/quickstart/catalog.yaml", import.meta.url));
const SECRET = "hunter2-hunter2";
const CATALOG = `
project: { name: shop, maxParallelTasks: 2 }
accessKeys:
  - name: deploy
    ssh: { login: git, privateKey: !file keys/deploy, passphrase: !env DEPLOY_PASSPHRASE }
  - { name: token, text: { value: !env SHOP_TOKEN } }
repositories:
  - { name: scripts, url: ./scripts }
  - { name: far, url: git@example.org:shop.git, accessKey: deploy }
inventories:
  - { name: hosts, ini: "[web]\\nlocalhost\\n", sshKey: deploy }
environments:
  - name: defaults
    variables: { list: [1, { deep: true }], text: "5", "<<": no merge, answer: "yes", time: "12:30" }
    secretVariables: { PASSWORD: !env SHOP_TOKEN }
    secretEnv: { MY_TOKEN: !env SHOP_TOKEN }
templates:
  - name: deploy
    app: bash
    repository: scripts
    path: deploy.sh
    environment: defaults
    runTimeout: 90s
    vaults: [{ key: token }]
    hooks:
      - { name: call, event: HOOK_EVENT_AFTER_TASK, http: { url: "https://example.org/", secretHeader: X, secretHeaderKey: token } }
      - { name: chat, event: HOOK_EVENT_AFTER_TASK, http: { urlKey: token, logResponse: true } }
`;
const ENV = { SHOP_TOKEN: SECRET, DEPLOY_PASSPHRASE: SECRET };

let service: TestService;
let empty: TestService;
let folder: string;
beforeAll(async () => {
  [service, empty] = await Promise.all([startService(), startService()]);
  folder = await mkdtemp(join(tmpdir(), "signalman-export-"));
  await mkdir(join(folder, "keys"));
  await mkdir(join(folder, "scripts"));
  await writeFile(join(folder, "keys/deploy"), keyLike(SECRET));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await Promise.all([service[Symbol.asyncDispose](), empty[Symbol.asyncDispose]()]);
});

const file = () => join(folder, "catalog.yaml");
async function apply(text: string, options: string[] = [], env: Record<string, string> = ENV) {
  await writeFile(file(), text);
  const result = await cli(["apply", file(), ...options], { server: service.url, env });
  return { ...result, stderr: result.stderr.replaceAll(folder, "") };
}

describe("a catalog file", () => {
  test("may take its secrets from the environment and from files beside it", async () => {
    expect(await apply(CATALOG)).toEqual({
      code: 0,
      stdout: expect.any(String),
      // A variable of the environment that the script gets as an argument.
      stderr: expect.stringMatching(
        /^signalman: warning: \/catalog\.yaml:22: templates\[0\]\.environment: "<<": app bash accepts only .*; refused from 0\.3 on\n$/,
      ),
    });
    const { accessKeys } = await service.client(AccessKeyService).listAccessKeys({ parent: "projects/shop" });
    expect(accessKeys.map(({ kind }) => kind.case)).toEqual(["ssh", "text"]);
  });

  test("is refused with file, line and field for each missing variable and file", async () => {
    const { code, stderr } = await apply(CATALOG.replace("keys/deploy", "keys/none"), [], {
      DEPLOY_PASSPHRASE: SECRET,
    });
    expect(code).toBe(2);
    expect(stderr.split("\n")).toEqual([
      expect.stringMatching(
        /^signalman: \/catalog.yaml:5: accessKeys\[0\].ssh.privateKey: cannot read keys\/none: /,
      ),
      expect.stringMatching(
        /\/catalog.yaml:6: accessKeys\[1\].text.value: there is no SHOP_TOKEN in the environment; export it, or write "" to keep the stored secret$/,
      ),
      expect.stringContaining("environments[0].secretVariables.PASSWORD: there is no SHOP_TOKEN"),
      expect.stringContaining("environments[0].secretEnv.MY_TOKEN: there is no SHOP_TOKEN"),
      "",
    ]);
  });
});

describe("signalman apply --dry-run", () => {
  test("prints the old and new value of each field that differs, in color; of secrets only that they differ", async () => {
    await apply(CATALOG);
    const changed = CATALOG.replace("90s", "5s")
      .replace("login: git", "login: ada")
      .replace("MY_TOKEN: !env SHOP_TOKEN", "OTHER: !env OTHER")
      .replace("    environment: defaults\n", "");
    const env = { ...ENV, OTHER: `other ${SECRET}`, DEPLOY_PASSPHRASE: "another" };
    const dry = await apply(changed, ["--dry-run"], { ...env, FORCE_COLOR: "1" });
    expect(dry).toMatchObject({ code: 0, stderr: "" });
    const [red, green] = [
      (text: string) => `\x1b[31m${text}\x1b[39m`,
      (text: string) => `\x1b[32m${text}\x1b[39m`,
    ];
    const lines = dry.stdout.split("\n").filter((line) => line.startsWith("    "));
    expect(lines).toEqual([
      `    ssh: ${red('{"login":"git"}')} → ${green('{"login":"ada"}')}`,
      `    ssh.passphrase: ${red("(secret)")} → ${green("(secret)")}`,
      `    secret_env["MY_TOKEN"]: ${red("(secret)")} → ${green("(secret)")}`,
      `    secret_env["OTHER"]: ${red("(secret)")} → ${green("(secret)")}`,
      `    environment: ${red('"projects/shop/environments/defaults"')} → ${green("(nothing)")}`,
      `    run_timeout: ${red('"90s"')} → ${green('"5s"')}`,
    ]);
    expect(dry.stdout).not.toContain("hunter2");
    const plain = await apply(changed, ["--dry-run"], env);
    expect(plain.stdout).toContain('\n    run_timeout: "90s" → "5s"\n');
    expect((await apply(CATALOG, ["--dry-run"])).stdout).toMatch(/^would be: \d unchanged$/m);
  });
});

describe("signalman export", () => {
  test("writes a catalog that changes nothing when it is applied; secrets are left out, their places are kept", async () => {
    await apply(CATALOG);
    const { code, stdout } = await cli(["export", "shop"], { server: service.url });
    expect(code).toBe(0);
    expect(stdout).not.toContain("hunter2");
    const left = '""  # secret, left out; an empty value keeps the stored one'.replace("  #", " #");
    for (const name of ["privateKey", "value", "PASSWORD", "MY_TOKEN"])
      expect(stdout).toContain(`${name}: ${left}`);
    expect(stdout).toContain("    environment: defaults\n");
    expect(stdout).toContain("key: token\n");
    expect(stdout).not.toMatch(/etag|Time:|Names|projects\//);
    expect(parse(stdout, { version: "1.1" })).toEqual(parse(stdout));
    const again = await apply(stdout, ["--prune"], {});
    expect(again.stdout).toMatch(/\n8 unchanged\n$/);
    const exported = join(folder, "exported.yaml");
    expect(
      await cli(["export", "projects/shop", "--output", exported], { server: service.url }),
    ).toMatchObject({ code: 0, stdout: "" });
    expect(await readFile(exported, "utf8")).toBe(stdout);
  });

  test("of a project with secrets, applied to an empty server, names those that are needed", async () => {
    await apply(CATALOG);
    const exported = join(folder, "exported.yaml");
    await cli(["export", "shop", "--output", exported], { server: service.url });
    const { code, stderr } = await cli(["apply", exported], { server: empty.url });
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /exported.yaml:\d+: accessKeys\[0\].ssh.privateKey: must not be empty, since no value is stored under this name/,
    );
    expect(stderr).toMatch(/environments\[0\].secretEnv.MY_TOKEN: must not be empty/);
    expect(stderr.trim().split("\n")).toHaveLength(4);
  });

  test("of the quickstart, applied to an empty server, runs the same", async () => {
    await cli(["apply", QUICKSTART], { server: service.url });
    const exported = join(folder, "quickstart.yaml");
    await cli(["export", "demo", "--output", exported], { server: service.url });
    expect(await cli(["apply", exported], { server: empty.url })).toMatchObject({ code: 0 });
    const run = ["run", "demo/hello", "-e", "name=Ada", "-e", "steps=1", "-e", "style=loud"];
    const [here, there] = await Promise.all([service, empty].map(({ url }) => cli(run, { server: url })));
    expect(here?.stdout).toContain("HELLO, ADA!");
    expect(there?.stdout).toBe(here?.stdout);
    expect(there?.code).toBe(0);
  });

  test("of a missing project says so", async () => {
    const { code, stderr } = await cli(["export", "none"], { server: service.url });
    expect(code).toBe(2);
    expect(stderr).toContain("projects/none");
  });
});
