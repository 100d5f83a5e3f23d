import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { CatalogSchema } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { readCatalog } from "../../src/cli/catalog/read.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "signalman-forms-"));
  await mkdir(join(folder, "catalog/keys"), { recursive: true });
  await writeFile(join(folder, "outside"), "outside\n");
  await writeFile(join(folder, "catalog/keys/deploy"), "deploy key\n");
  await symlink(join(folder, "outside"), join(folder, "catalog/keys/link"));
  await symlink("deploy", join(folder, "catalog/keys/inner"));
  vi.stubEnv("SIGNALMAN_FORMS_TEST", "from the environment");
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

/** A catalog as the server gets it, in JSON. */
async function read(text: string, options?: { allowTags: boolean }) {
  const file = join(folder, "catalog/catalog.yaml");
  await writeFile(file, text);
  return toJson(CatalogSchema, (await readCatalog(file, options)).catalog);
}

/** Error of a refused catalog, without the folder. */
const complaint = (text: string, options?: { allowTags: boolean }) =>
  read(text, options).then(
    () => "",
    (error: Error) => error.message.replaceAll(`${folder}/catalog/`, ""),
  );

describe("short forms", () => {
  test("env takes numbers and booleans as they are written, in YAML and JSON", async () => {
    const yaml = await read(
      "environments: [{ name: e, env: { A: 8080, B: 0755, C: 1.10, D: true, E: 9007199254740993, F: x } }]",
    );
    const env = { A: "8080", B: "0755", C: "1.10", D: "true", E: "9007199254740993", F: "x" };
    expect(yaml).toEqual({ environments: [{ name: "e", env }] });
    expect(await read('{"templates": [{"env": {"A": 1.10, "B": false}}]}')).toEqual({
      templates: [{ env: { A: "1.10", B: "false" } }],
    });
  });

  test("one name in allowOverrideEnv is a list", async () => {
    expect(
      await read('{"templates": [{"allowOverrideEnv": "*"}, {"allowOverrideEnv": ["A", "B"]}]}'),
    ).toEqual({
      templates: [{ allowOverrideEnv: ["*"] }, { allowOverrideEnv: ["A", "B"] }],
    });
  });

  test("a question's default and answers are taken as they are written, answers as a list of texts too", async () => {
    const survey = `
      - { name: port, type: SURVEY_TYPE_INT, default: 0080 }
      - { name: text, default: true }
      - { name: size, type: SURVEY_TYPE_ENUM, values: [small, 1.10, yes, true, { value: 2, name: two }] }`;
    expect(await read(`templates:\n  - survey: ${survey}\n`)).toEqual({
      templates: [
        {
          survey: [
            { name: "port", type: "SURVEY_TYPE_INT", default: "0080" },
            { name: "text", default: "true" },
            {
              ...{ name: "size", type: "SURVEY_TYPE_ENUM" },
              values: [
                ...[{ value: "small" }, { value: "1.10" }, { value: "yes" }, { value: "true" }],
                { value: "2", name: "two" },
              ],
            },
          ],
        },
      ],
    });
  });

  test.each([
    ["10m", "600s"],
    ["1h30m", "5400s"],
    ["90", "90s"],
    ["250ms", "0.250s"],
    ["1.5s", "1.500s"],
    ["0.000000001s", "0.000000001s"],
  ])("a duration may be %s", async (written, seconds) => {
    expect(await read(`templates: [{ runTimeout: ${written} }]`)).toEqual({
      templates: [{ runTimeout: seconds }],
    });
  });

  test("invalid values are named by their place, without a secret", async () => {
    expect(await complaint("templates: [{ runTimeout: soon, app: 7 }]")).toBe(
      'catalog.yaml:1: templates[0].runTimeout: expected seconds, such as "600s", got "soon"\n' +
        "catalog.yaml:1: templates[0].app: expected text, got 7",
    );
    const secrets =
      "accessKeys: [{ text: 123456 }, { text: { value: [123456] } }, { ssh: { privateKey: 123456 } }]\n";
    const told = await complaint(secrets);
    expect(told.split("\n").map((line) => line.replace(/^catalog.yaml:1: /, ""))).toEqual([
      "accessKeys[0].text: expected fields with values, got a number",
      "accessKeys[1].text.value: expected text, got a list",
      "accessKeys[2].ssh.privateKey: expected text, got a number",
    ]);
  });

  test.each([
    'accessKeys:\n  - text: { value: "" hunter2 }\n',
    'accessKeys:\n  - text:\n      value: "" hunter2\n',
    "accessKeys:\n  - text:\n      value: *hunter2\n",
    "accessKeys:\n  - text:\n      value: |hunter2\n",
    " a: 1\nhunter2\n",
    "{a: b}} hunter2",
  ])("a file that is no YAML is refused without what it holds: %j", async (text) => {
    const told = await complaint(text);
    expect(told).toMatch(/^catalog\.yaml:\d+: /);
    expect(told).not.toContain("hunter2");
  });
});

test("whole numbers that would lose digits are refused, each with its place", async () => {
  const told = await complaint(
    "templates:\n  - variables: { a: { b: [9007199254740993] }, c: 9007199254740991 }\n",
  );
  expect(told).toMatch(
    /^catalog\.yaml:2: templates\[0\]\.variables\.a\.b\[0\]: whole numbers beyond .*as text, in quotes$/,
  );
  expect(await read("templates: [{ variables: { id: '9007199254740993', n: -9007199254740991 } }]")).toEqual({
    templates: [{ variables: { id: "9007199254740993", n: -9007199254740991 } }],
  });
});

describe("!env and !file", () => {
  const SECRETS = `accessKeys:
  - { ssh: { privateKey: !file keys/deploy, passphrase: !env SIGNALMAN_FORMS_TEST } }
  - { loginPassword: { password: !file keys/inner } }
  - { text: { value: !env SIGNALMAN_FORMS_TEST } }
environments:
  - { secretVariables: { a: !file keys/deploy }, secret_env: { B: !env SIGNALMAN_FORMS_TEST } }
`;

  test("fill secret fields", async () => {
    expect(await read(SECRETS)).toEqual({
      accessKeys: [
        { ssh: { privateKey: "deploy key\n", passphrase: "from the environment" } },
        { loginPassword: { password: "deploy key\n" } },
        { text: { value: "from the environment" } },
      ],
      environments: [{ secretVariables: { a: "deploy key\n" }, secretEnv: { B: "from the environment" } }],
    });
  });

  test.each([
    ["templates[0].env.A", "templates: [{ env: { A: !env SIGNALMAN_FORMS_TEST } }]"],
    ["templates[0].variables.password", "templates: [{ variables: { password: !file keys/deploy } }]"],
    ["accessKeys[0].ssh.login", "accessKeys: [{ ssh: { login: !env SIGNALMAN_FORMS_TEST } }]"],
    [
      "project.hooks[0].http.body.text",
      "project: { hooks: [{ http: { body: { text: !file keys/deploy } } }] }",
    ],
    ["project.description", "project: { description: !file keys/deploy }"],
  ])("are refused in %s, unless they are allowed", async (path, text) => {
    expect(await complaint(text)).toMatch(
      new RegExp(
        `^catalog.yaml:1: ${path.replaceAll(/[[\].]/g, "\\$&")}: !(env|file) works in secret fields alone`,
      ),
    );
    expect(JSON.stringify(await read(text, { allowTags: true }))).toMatch(/deploy key|from the environment/);
  });

  test("cannot be copied to other fields by aliases", async () => {
    const text = "accessKeys:\n  - text: { value: &v !env SIGNALMAN_FORMS_TEST }\n    description: *v\n";
    expect(await complaint(text)).toMatch(
      /^catalog\.yaml:3: accessKeys\[0\]\.description: repeats a value with !env/,
    );
    const merged =
      "accessKeys:\n  - text: &t { value: !file keys/deploy }\ntemplates: [{ variables: { <<: *t } }]\n";
    expect(await complaint(merged)).toMatch(/^catalog\.yaml:3: .*: repeats a value with !env or !file/);
  });

  test.each(["../outside", "keys/link", "keys/../../outside", "/etc/hostname"])(
    "read no file outside the catalog's folder, allowed or not: %s",
    async (file) => {
      const text = `accessKeys: [{ text: { value: !file ${file} } }]`;
      for (const allowTags of [false, true])
        expect(await complaint(text, { allowTags })).toBe(
          `catalog.yaml:1: accessKeys[0].text.value: cannot read ${file}: it is outside the folder of the catalog`,
        );
    },
  );

  test("read only regular files", async () => {
    const text = "accessKeys: [{ text: { value: !file keys } }]";
    expect(await complaint(text)).toMatch(/cannot read keys: it is not a regular file$/);
  });
});
