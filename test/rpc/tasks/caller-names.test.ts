import type { MessageInitShape } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import type postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BadRequestSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { CatalogService } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { type RunTaskRequest, TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { SurveyType, type TemplateSchema, TemplateService } from "../../../gen/signalman/v1/template_pb.ts";
import { START_NAMES } from "../../../src/task/start-names.ts";
import { OPEN_TO_CALLERS } from "../../support/demo.ts";
import { type InMemoryApi, startApi } from "../../support/in-memory.ts";
import { openSql, refusal } from "../support.ts";

type Request = Pick<Partial<RunTaskRequest>, "env" | "variables" | "secretVariables" | "validateOnly">;
type Init = MessageInitShape<typeof TemplateSchema>;

const APPS = ["bash", "python", "node", "ansible", "terraform", "make"];
const TEXT = SurveyType.TEXT;
const SECRET = SurveyType.SECRET;

let api: InMemoryApi;
let sql: postgres.Sql;
beforeAll(async () => {
  api = await startApi();
  sql = openSql(api);
  const settings = { environment: "e", inventory: "i" };
  await apply(
    ...APPS.flatMap((app) => {
      const place = app === "ansible" ? settings : { environment: "e" };
      return [
        { name: app, app, ...place, survey: [{ name: "asked" }, { name: "pin", type: SECRET }] },
        { name: `open-${app}`, app, ...place, ...OPEN_TO_CALLERS },
      ];
    }),
    {
      name: "names",
      app: "bash",
      environment: "e",
      allowOverrideEnv: ["STAGE", "CC"],
      env: { OWN: "template" },
    },
    { name: "make-names", app: "make", allowOverrideEnv: ["CC"] },
    {
      ...{
        name: "extra",
        app: "bash",
        environment: "e",
        allowExtraVariables: true,
        env: { OWN: "template" },
      },
      survey: ["PATH", "STAGE"].map((name) => ({ name, type: TEXT })),
    },
    { name: "connect", app: "ansible", inventory: "i", survey: [{ name: "ansible_connection" }] },
    { name: "asked", app: "ansible", environment: "e", inventory: "i", allowExtraVariables: true },
    { name: "compiler", app: "make", survey: [{ name: "CC" }] },
  );
});
afterAll(async () => {
  await sql.end();
  await api[Symbol.asyncDispose]();
});

function apply(...templates: Init[]) {
  return api.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "p" },
      repositories: [{ name: "r", url: "/r" }],
      inventories: [{ name: "i", source: { case: "ini", value: "h" } }],
      environments: [{ name: "e", env: { STAGE: "dev" }, secretEnv: { TOKEN: "hidden" } }],
      templates: templates.map((template) => ({ repository: "r", path: "x", ...template })),
    },
  });
}

const run = (template: string, request: Request) =>
  api.client(TaskService).runTask({ template: `projects/p/templates/${template}`, ...request });
const notAllowed = (...fields: string[]) => ({
  code: "InvalidArgument",
  reason: "OVERRIDE_NOT_ALLOWED",
  fields,
});
const refused = (...fields: string[]) => ({ code: "InvalidArgument", reason: "NAME_REFUSED", fields });
const nameRule = (field: string) => ({
  code: "InvalidArgument",
  reason: "INVALID_ARGUMENT",
  fields: [field],
});

/** Returns the description of the first violation. */
async function description(call: Promise<unknown>): Promise<string | undefined> {
  const error = ConnectError.from(await call.catch((thrown: unknown) => thrown));
  return error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.description;
}

describe.each(APPS)("a template for %s without permissions to override", (app) => {
  test.each<[string, Request, string, string]>([
    ["an environment variable", { env: { STAGE: "prod" } }, 'env["STAGE"]', "allow_override_env"],
    ["a variable", { variables: { other: 1 } }, 'variables["other"]', "allow_extra_variables"],
    ["a secret", { secretVariables: { other: "x" } }, 'secret_variables["other"]', "allow_extra_variables"],
  ])("refuses %s and says which field would allow it", async (_, request, field, allows) => {
    expect(await refusal(run(app, request))).toEqual(notAllowed(field));
    expect(await refusal(run(app, { ...request, validateOnly: true }))).toEqual(notAllowed(field));
    expect(await description(run(app, request))).toMatch(
      new RegExp(`projects/p/templates/${app} .*${allows}`),
    );
  });

  test("accepts answers to its survey, and requests without variables", async () => {
    const request = { variables: { asked: "x" }, secretVariables: { pin: "1234" } };
    expect((await run(app, request)).task).toMatchObject({
      variables: { asked: "x" },
      secretVariableNames: ["pin"],
    });
    expect((await run(app, { secretVariables: { asked: "x" } })).task?.secretVariableNames).toEqual([
      "asked",
    ]);
    expect((await run(app, {})).task?.name).toBeTruthy();
  });
});

test("a list of names allows these names and no others", async () => {
  expect((await run("names", { env: { STAGE: "x", CC: "y" } })).task?.env).toEqual({ STAGE: "x", CC: "y" });
  expect(await refusal(run("names", { env: { STAGE: "x", stage: "y", STAGE_2: "z" } }))).toEqual(
    notAllowed('env["stage"]', 'env["STAGE_2"]'),
  );
});

describe("a name that changes how programs start is refused whatever the template allows:", () => {
  const names = START_NAMES.flatMap((row) => row.names.split(" ")).map((name) => name.replace("*", "x"));

  test.each([
    ["env", "env", APPS],
    ["secret_variables", "secretVariables", APPS],
    ["variables", "variables", ["make"]],
  ] as const)("in %s", async (field, key, apps) => {
    for (const app of apps) {
      const found = await Promise.all(
        names.map((name) => refusal(run(`open-${app}`, { [key]: { [name]: "x" } }))),
      );
      expect(found).toEqual(names.map((name) => refused(`${field}["${name}"]`)));
    }
  });

  test("the table has every name of the known attacks, and its patterns", async () => {
    const known =
      "BASH_ENV ENV BASH_FUNC_x SHELLOPTS BASHOPTS PS4 IFS PATH HOME LD_PRELOAD LD_AUDIT DYLD_INSERT_LIBRARIES GCONV_PATH " +
      "NODE_OPTIONS NODE_PATH PYTHONPATH PYTHONSTARTUP PYTHONWARNINGS PERL5OPT PERL5LIB PERL5DB RUBYOPT RUBYLIB " +
      "JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS GIT_SSH_COMMAND GIT_CONFIG_COUNT GIT_EXEC_PATH SSH_ASKPASS " +
      "SSH_AUTH_SOCK ANSIBLE_SSH_ARGS ANSIBLE_CONFIG TF_CLI_ARGS TF_VAR_x TG_TF_PATH TERRAGRUNT_CONFIG PSModulePath " +
      "MAKEFLAGS GNUMAKEFLAGS npm_config_node_options NPM_CONFIG_SCRIPT_SHELL PIP_INDEX_URL CURL_HOME EDITOR PAGER VISUAL " +
      "GLIBC_TUNABLES LOCPATH TERMINFO MALLOC_TRACE LESSOPEN OPENSSL_CONF GOFLAGS RUSTC_WRAPPER DOTNET_STARTUP_HOOKS " +
      "CDPATH LOCALDOMAIN RES_OPTIONS HOSTALIASES NLSPATH PATH_LOCALE LIBPATH KRB5_CONFIG TERMPATH TERMCAP GLOBIGNORE " +
      "PERLIO_DEBUG FPATH NULLCMD READNULLCMD ZDOTDIR TMPPREFIX PYTHONHOME PYTHONINSPECT PYTHONUSERBASE TZDIR TMPDIR";
    for (const name of known.split(" "))
      expect(await refusal(run("open-bash", { env: { [name]: "x" } }))).toEqual(refused(`env["${name}"]`));
  });

  test("the case of a name counts only where it counts for the programs", async () => {
    const allowed = [
      "bash_env",
      "Path",
      "ld_preload",
      "NODE_ENV",
      "PYTHO",
      "XLD_PRELOAD",
      "MY_GIT_DIR",
      "PATHS",
    ];
    const env = Object.fromEntries(allowed.map((name) => [name, "x"]));
    expect((await run("open-bash", { env })).task?.env).toEqual(env);
    for (const name of ["Npm_Config_Prefix", "PSMODULEPATH", "dotnet_STARTUP_HOOKS"])
      expect(await refusal(run("open-bash", { env: { [name]: "x" } }))).toEqual(refused(`env["${name}"]`));
  });

  test.each([
    ["a Cyrillic letter", "РATH"],
    ["a full-width letter", "ＰATH"],
    ["white space before it", " PATH"],
    ["white space after it", "PATH "],
    ["its value", "PATH=/tmp"],
    ["a line end", "PATH\n"],
    ["a NUL", "PATH\0"],
    ["a function", "BASH_FUNC_ls%%"],
    ["no character at all", ""],
    ["an option", "--rcfile"],
  ])("nor does it pass with %s", async (_, name) => {
    const place = (field: string) => `${field}[${JSON.stringify(name)}]`;
    expect(await refusal(run("open-bash", { env: { [name]: "x" } }))).toEqual(nameRule(place("env")));
    expect(await refusal(run("open-bash", { secretVariables: { [name]: "x" } }))).toEqual(
      nameRule(place("secret_variables")),
    );
    const asVariable = await refusal(run("open-bash", { variables: { [name]: "x" } }));
    expect(asVariable).toMatchObject({ code: "InvalidArgument", fields: [place("variables")] });
  });

  test("a name such as constructor, which every object has, is treated like any other", async () => {
    const variables = JSON.parse('{"constructor": "x", "__proto__": "y", "toString": "z"}');
    const fields = Object.keys(variables).map((name) => `variables["${name}"]`);
    expect(fields).toHaveLength(3);
    expect(await refusal(run("bash", { variables }))).toEqual(notAllowed(...fields));
    expect(await refusal(run("bash", { env: { constructor: "x" } }))).toEqual(
      notAllowed('env["constructor"]'),
    );
  });
});

describe("secret variables, which shell-like apps, make and hooks get in the environment,", () => {
  test("do not replace the environment unless the template allows it", async () => {
    expect(await refusal(run("extra", { secretVariables: { OWN: "x", TOKEN: "y", FREE: "z" } }))).toEqual(
      notAllowed('secret_variables["OWN"]', 'secret_variables["TOKEN"]'),
    );
    expect((await run("open-bash", { secretVariables: { STAGE: "x" } })).task?.secretVariableNames).toEqual([
      "STAGE",
    ]);
    expect(await refusal(run("asked", { secretVariables: { STAGE: "x" } }))).toEqual(
      notAllowed('secret_variables["STAGE"]'),
    );
    expect((await run("open-ansible", { secretVariables: { STAGE: "x" } })).task).toBeTruthy();
  });

  test("do not answer a question of text under such a name", async () => {
    expect((await run("extra", { variables: { PATH: "x", STAGE: "y" } })).task).toBeTruthy();
    expect(await refusal(run("extra", { secretVariables: { PATH: "x" } }))).toEqual(
      refused('secret_variables["PATH"]'),
    );
    expect(await refusal(run("extra", { secretVariables: { STAGE: "x" } }))).toEqual(
      notAllowed('secret_variables["STAGE"]'),
    );
  });
});

describe("a name with a meaning for the app itself is refused unless the survey asks for it:", () => {
  test.each([
    "ansible_connection",
    "ansible_ssh_common_args",
    "ansible_python_interpreter",
    "_ansible_x",
    "inventory_hostname",
    "playbook_dir",
  ])("%s", async (name) => {
    for (const key of ["variables", "secretVariables"] as const)
      expect((await refusal(run("open-ansible", { [key]: { [name]: "local" } }))).reason).toBe(
        "NAME_REFUSED",
      );
    expect((await run("open-bash", { variables: { [name]: "x" } })).task).toBeTruthy();
  });

  test("the survey may ask for it", async () => {
    expect((await run("connect", { variables: { ansible_connection: "local" } })).task).toBeTruthy();
    expect((await run("compiler", { variables: { CC: "clang" } })).task).toBeTruthy();
    expect((await run("make-names", { env: { CC: "clang" } })).task).toBeTruthy();
    expect(await refusal(run("open-make", { env: { CC: "clang" } }))).toEqual(refused('env["CC"]'));
    expect(await refusal(run("open-make", { variables: { CURDIR: "/", CFLAGS: "-x" } }))).toEqual(
      refused('variables["CURDIR"]', 'variables["CFLAGS"]'),
    );
  });

  test("a variable whose name a shell-like app would read as an option is refused", async () => {
    for (const app of ["bash", "python", "node", "make"])
      for (const name of ["--rcfile", "a-b", "a b", "1a", "a.b", "ä"])
        expect(await refusal(run(`open-${app}`, { variables: { [name]: "x" } }))).toEqual(
          refused(`variables["${name}"]`),
        );
    expect((await run("open-terraform", { variables: { "a-b": "x" } })).task).toBeTruthy();
  });
});

describe("a template", () => {
  const create = (template: Init) =>
    refusal(
      api.client(TemplateService).createTemplate({
        parent: "projects/p",
        templateId: "new",
        template: { app: "bash", repository: "projects/p/repositories/r", path: "x", ...template },
      }),
    );

  test.each(["BASH_ENV", "GIT_DIR", "a-b", "", "SIGNALMAN_X", "ST*", "PATH=x"])(
    "cannot allow callers to set %j",
    async (name) => {
      expect(await create({ allowOverrideEnv: ["STAGE", name] })).toEqual(
        nameRule("template.allow_override_env[1]"),
      );
    },
  );

  test("cannot have variables that a shell-like app would read as options, or ask for names that change how programs start", async () => {
    const variables = { "--rcfile": "x", fine: "y" };
    expect(await create({ variables })).toEqual(nameRule('template.variables["--rcfile"]'));
    expect(await create({ survey: [{ name: "fine" }, { name: "LD_PRELOAD", type: SECRET }] })).toEqual(
      nameRule("template.survey[1].name"),
    );
    const survey = [{ name: "LD_PRELOAD", type: TEXT }];
    expect(await create({ app: "make", survey })).toEqual(nameRule("template.survey[0].name"));
  });
});

describe("a template that an earlier release stored", () => {
  const name = "projects/p/templates/earlier";
  const spec = {
    ...{ app: "bash", repository: "projects/p/repositories/r", path: "x" },
    variables: { "--rcfile": "x" },
    survey: [{ name: "LD_PRELOAD", type: "SURVEY_TYPE_SECRET" }],
  };
  const templates = () => api.client(TemplateService);
  beforeAll(async () => {
    // Stored as by a server of the previous release: the new column has its default.
    await sql`INSERT INTO templates (project, name, spec) VALUES ('p', 'earlier', ${sql.json(spec)})`;
  });

  test("allows everything, shows its permissions, and keeps its names", async () => {
    expect((await templates().getTemplate({ name })).template).toMatchObject(OPEN_TO_CALLERS);
    const request = { env: { STAGE: "x" }, variables: { any: 1 }, secretVariables: { LD_PRELOAD: "y" } };
    expect((await run("earlier", request)).task).toMatchObject({
      env: { STAGE: "x" },
      variables: { any: 1 },
    });
    expect(await refusal(run("earlier", { env: { BASH_ENV: "x" } }))).toEqual(refused('env["BASH_ENV"]'));
    const { templates: all } = await templates().listTemplates({ parent: "projects/p", pageSize: 1000 });
    expect(all.find((one) => one.name === name)).toMatchObject(OPEN_TO_CALLERS);
  });

  test("is unchanged by a dry run, which shows what the file would restrict", async () => {
    const catalog = {
      project: { name: "p" },
      templates: [{ name: "earlier", app: "bash", repository: "r", path: "x", variables: spec.variables }],
    };
    const { changes, warnings } = await api
      .client(CatalogService)
      .applyCatalog({ catalog, validateOnly: true });
    const change = changes.find((one) => one.name === name);
    expect(change?.differences.map(({ field, before, after }) => [field, before, after])).toEqual([
      ["allow_extra_variables", "true", ""],
      ["allow_override_env", '["*"]', ""],
      ["survey", expect.anything(), ""],
    ]);
    expect(warnings.map(({ field }) => field)).toEqual(['catalog.templates[0].variables["--rcfile"]']);
    expect(warnings[0]?.description).toMatch(/^"--rcfile": app bash accepts only .*; refused from 0\.3 on$/);
    expect((await templates().getTemplate({ name })).template).toMatchObject(OPEN_TO_CALLERS);
  });

  test("keeps permissions and names when another field is changed, and accepts no new such names", async () => {
    const { template } = await templates().updateTemplate({ template: { name, description: "new" } });
    expect(template).toMatchObject({ ...OPEN_TO_CALLERS, description: "new", variables: spec.variables });
    expect((await run("earlier", { env: { STAGE: "x" } })).task).toBeTruthy();
    const more = { name, variables: { ...spec.variables, "--norc": "x" } };
    expect(await refusal(templates().updateTemplate({ template: more }))).toEqual(
      nameRule('template.variables["--norc"]'),
    );
  });

  test("is restricted when it is written without the permissions", async () => {
    const { template } = await templates().updateTemplate({
      template: { name, allowOverrideEnv: [], allowExtraVariables: false },
      updateMask: { paths: ["allow_override_env", "allow_extra_variables"] },
    });
    expect(template).toMatchObject({ allowOverrideEnv: [], allowExtraVariables: false });
    expect(await refusal(run("earlier", { env: { STAGE: "x" } }))).toEqual(notAllowed('env["STAGE"]'));
  });
});
