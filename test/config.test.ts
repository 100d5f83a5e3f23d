import { homedir } from "node:os";
import { describe, expect, test } from "vitest";
import { ConfigError, type Flags, readConfig, SETTINGS } from "../src/config.ts";
import { BUILT_IN } from "../src/jobs/families/all.ts";

/** Error message of a config that is refused; empty if it is accepted. */
function complaint(flags: Flags, env: NodeJS.ProcessEnv): string {
  try {
    readConfig(flags, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "";
}

test("without settings there is a config that works on this machine", () => {
  const config = readConfig({}, {});
  expect(config).toMatchObject({
    listen: { host: "127.0.0.1", port: 8480 },
    databaseUrl: undefined,
    tokens: undefined,
    noAuth: false,
    plaintext: false,
    allowedHosts: undefined,
    secretKeys: undefined,
    roles: ["api", "runner"],
    maxParallelTasks: 10,
    forwardedEnv: [],
    hooks: [],
    hookNetworks: { any: true, networks: [], endpoints: [] },
    lostTimeout: 600_000,
    auditRetention: 365 * 86_400_000,
    streamMaxAge: 3_600_000,
    logLevel: "info",
    compression: "none",
  });
  expect(config.dataDir.startsWith(homedir()) || config.dataDir.startsWith("/")).toBe(true);
  expect(Object.keys(config.apps)).toEqual(Object.keys(BUILT_IN));
  expect(Object.isFrozen(config)).toBe(true);
});

describe("valid values are accepted", () => {
  const GOOD: [keyof typeof SETTINGS, string, unknown][] = [
    ["listen", "[::1]:0", { host: "::1", port: 0 }],
    ["listen", ":65535", { host: "", port: 65_535 }],
    ["allowedOrigins", "https://a.example,http://[::1]:81", ["https://a.example", "http://[::1]:81"]],
    ["allowedOrigins", "*", "*"],
    ["dataDir", "/srv/signalman", "/srv/signalman"],
    ["databaseUrl", "postgresql://u:p@host/db", "postgresql://u:p@host/db"],
    ["maxParallelTasks", "1000", 1000],
    ["roles", "runner,api", ["api", "runner"]],
    ["allowedHosts", "ci.example.com,ci", ["ci.example.com", "ci"]],
    ["allowedHosts", "*", "*"],
    ["noAuth", "true", true],
    ["plaintext", "true", true],
    ["hooks", "/a.mjs,/b/../c.mjs", ["/a.mjs", "/c.mjs"]],
    [
      "hookNetworks",
      "127.0.0.1:80",
      { any: false, networks: [], endpoints: [{ host: "127.0.0.1", port: 80 }] },
    ],
    ["forwardedEnv", "HTTP_PROXY,_x", ["HTTP_PROXY", "_x"]],
    ["lostTimeout", "1h30m", 5_400_000],
    ["auditRetention", "30d", 30 * 86_400_000],
    ["streamMaxAge", "10s", 10_000],
    ["sshHostKeys", "strict", "strict"],
    ["isolation", "namespaces", "namespaces"],
    [
      "runAsUsers",
      " default: runner,projects/x:web , projects/x/templates/y: 1000",
      [
        { scope: "default", user: "runner" },
        { scope: "projects/x", user: "web" },
        { scope: "projects/x/templates/y", user: "1000" },
      ],
    ],
    ["sshKnownHosts", "/etc/known hosts", "/etc/known hosts"],
    ["logLevel", "debug", "debug"],
    ["logFormat", "pretty", "pretty"],
    ["compression", "gzip", "gzip"],
  ];
  test.each(GOOD)("%s %s, as a flag and as a variable", (key, text, value) => {
    expect(readConfig({ [key]: text }, {})[key]).toEqual(value);
    expect(readConfig({}, { [SETTINGS[key].env]: text })[key]).toEqual(value);
  });

  test("a token and a key, as variables", () => {
    const SIGNALMAN_SECRET_KEY = Buffer.alloc(32, 1).toString("base64");
    const config = readConfig({}, { SIGNALMAN_TOKEN: "0123456789abcdef", SIGNALMAN_SECRET_KEY });
    expect(config).toMatchObject({ tokens: ["0123456789abcdef"], secretKeys: [Buffer.alloc(32, 1)] });
  });

  test("apps are added to the built-in ones and may replace them", () => {
    const apps = JSON.stringify({
      perl: { command: "perl", args: ["-w"], env: { A: "b" } },
      bash: { command: "/opt/bash" },
    });
    expect(readConfig({ apps }, {}).apps).toMatchObject({
      sh: { command: "sh", args: [] },
      perl: { command: "perl", args: ["-w"], env: { A: "b" } },
      bash: { command: "/opt/bash", args: [] },
    });
  });
});

test("a flag overrides its variable, and an empty variable counts as unset", () => {
  expect(readConfig({ listen: "localhost:1" }, { SIGNALMAN_LISTEN: "localhost:2" }).listen.port).toBe(1);
  const empty = Object.fromEntries(Object.values(SETTINGS).map(({ env }) => [env, ""]));
  expect(readConfig({}, empty)).toEqual(readConfig({}, {}));
});

test("one role alone needs a database that another server can reach", () => {
  expect(complaint({ roles: "api" }, {})).toMatch(/^SIGNALMAN_ROLES is api only.*DATABASE_URL/);
  expect(complaint({ roles: "runner" }, { DATABASE_URL: "postgres://db/x" })).toBe("");
});

test("secrets have no flag, since every user of the machine can read a command line", () => {
  expect(SETTINGS.tokens).not.toHaveProperty("flag");
  expect(SETTINGS.secretKeys).not.toHaveProperty("flag");
});

describe("a bad value is an error that names its variable or flag and what is allowed", () => {
  const BAD: [keyof typeof SETTINGS, string, RegExp][] = [
    ["listen", "8480", /must be HOST:PORT, such as 127.0.0.1:8480, not 8480/],
    ["listen", "localhost:65536", /must be HOST:PORT/],
    ["listen", "::1:80", /must be HOST:PORT/],
    [
      "allowedOrigins",
      "https://a.example/",
      /must be \* or origins such as https:.*, not https:..a.example.$/,
    ],
    ["allowedOrigins", "https://a.example,b.example", /must be \* or origins.*, not b.example/],
    [
      "allowedHosts",
      "ci.example.com:8480",
      /must be \* or host names .* without ports.*, not ci.example.com:8480/,
    ],
    ["noAuth", "yes", /must be one of true, false, not yes/],
    ["plaintext", "1", /must be one of true, false, not 1/],
    ["tlsCert", 'a"b', /must be a path without quotation marks and line breaks/],
    ["tlsKey", 'a"b', /must be a path without quotation marks and line breaks/],
    [
      "hookNetworks",
      "chat.example.com",
      /must be any, networks such as 10.0.0.0.8 .*, not "chat.example.com"/,
    ],
    ["databaseUrl", "mysql://host/db", /must be a URL such as postgres:/],
    ["databaseUrl", "host=x", /must be a URL such as postgres:/],
    ["roles", "api,worker", /must be api, runner or both, joined by a comma, not api,worker/],
    ["roles", "api,", /must be api, runner or both/],
    ["maxParallelTasks", "0", /must be a whole number from 1 to 1000, not 0/],
    ["maxParallelTasks", "1001", /must be a whole number/],
    ["maxParallelTasks", "1e2", /must be a whole number/],
    ["maxParallelTasks", "two", /must be a whole number/],
    ["apps", "{", /must be JSON/],
    [
      "apps",
      '{"Perl": {"command": "perl"}}',
      /is wrong at Perl: names of apps have at most 63 lower-case letters/,
    ],
    ["apps", '{"perl": {"cmd": "perl"}}', /is wrong at perl/],
    ["apps", '{"perl": {"command": ""}}', /is wrong at perl.command/],
    ["apps", '{"perl": {"command": "perl", "args": ["a\\u0000"]}}', /is wrong at perl.args.0: no NUL/],
    ["apps", '{"perl": {"command": "perl", "env": {"A": 1}}}', /is wrong at perl.env.A/],
    ["apps", '{"perl": {"command": "perl", "env": {"A-B": ""}}}', /is wrong at perl.env.A-B: Names match/],
    [
      "apps",
      '{"perl": {"command": "perl", "env": {"SIGNALMAN_TASK": ""}}}',
      /is wrong at perl.env.SIGNALMAN_TASK/,
    ],
    ["apps", "[]", /is wrong at the top level/],
    ["forwardedEnv", "A,B-C", /must be names of variables, joined by commas, not B-C/],
    ["lostTimeout", "soon", /must be a duration such as 90s, 5m or 1h30m, not soon/],
    [
      "isolationExempt",
      "projects/x",
      /must be names such as projects\/x\/templates\/y, joined by commas, not projects\/x/,
    ],
    ["tags", "gpu,Big", /must be tags of up to 63 lower-case letters, .*, not Big/],
    ["runAsUsers", "web", /must be entries such as default: runner, .*, joined by commas, not web/],
    ["runAsUsers", "default: a b", /must be entries such as .*, not default: a b/],
    ["runAsUsers", "default: a, templates/x: b", /must be entries such as .*, not templates\/x: b/],
    ["runAsUsers", "default: a, default: b", /must name each scope once, but has two entries for default/],
    ["runAsUsers", "projects/x: a", /must have an entry such as default: runner/],
    ["isolation", "chroot", /must be one of auto, namespaces, none, not chroot/],
    ["streamMaxAge", "9s", /must be a duration from 10s to 24d, not 9s/],
    ["auditRetention", "year", /must be a duration such as 90s, 5m or 1h30m, not year/],
    ["sshHostKeys", "yes", /must be one of accept-new, strict, off, not yes/],
    ["sshKnownHosts", 'a"b', /must be a path without quotation marks and line breaks/],
    ["logLevel", "loud", /must be one of debug, info, warn, error, not loud/],
    ["logFormat", "xml", /must be one of json, pretty, not xml/],
    ["compression", "brotli", /must be one of none, gzip, not brotli/],
  ];
  test.each(BAD)("%s %s", (key, text, wanted) => {
    const setting = SETTINGS[key];
    const asVariable = complaint({}, { [setting.env]: text });
    expect(asVariable).toMatch(new RegExp(`^${setting.env} ${wanted.source}`));
    if (!("flag" in setting)) return;
    expect(complaint({ [key]: text }, {})).toMatch(new RegExp(`^--${setting.flag} ${wanted.source}`));
  });

  test("a token that is short or has white space in it, which is not repeated", () => {
    const told = complaint({}, { SIGNALMAN_TOKEN: "too short" });
    expect(told).toBe("SIGNALMAN_TOKEN must have at least 16 characters, all of them visible ASCII");
    expect(complaint({}, { SIGNALMAN_TOKEN: "with a blank in the middle" })).toBe(told);
  });

  test("one of several tokens that is short, none of which is repeated", () => {
    const { tokens } = readConfig({}, { SIGNALMAN_TOKEN: "0123456789abcdef, fedcba9876543210" });
    expect(tokens).toEqual(["0123456789abcdef", "fedcba9876543210"]);
    for (const text of ["0123456789abcdef,short", "0123456789abcdef,"])
      expect(complaint({}, { SIGNALMAN_TOKEN: text })).toBe(
        "SIGNALMAN_TOKEN between commas each token must have at least 16 characters, all of them visible ASCII",
      );
  });

  test.each([
    [{ noAuth: "true" }, { SIGNALMAN_TOKEN: "0123456789abcdef" }, /--no-auth .* but SIGNALMAN_TOKEN is set/],
    [{ tlsCert: "/c.pem" }, {}, /TLS needs both --tls-cert and --tls-key/],
    [{ tlsKey: "/k.pem" }, {}, /TLS needs both --tls-cert and --tls-key/],
    [
      { tlsKey: "/k.pem", tlsCert: "/c.pem", plaintext: "true" },
      {},
      /--plaintext .* but --tls-cert is given/,
    ],
  ])("settings that contradict each other: %o %o", (flags, env, wanted) => {
    expect(complaint(flags, env)).toMatch(wanted);
  });

  test("a key that is not 32 bytes, which is not repeated", () => {
    expect(complaint({}, { SIGNALMAN_SECRET_KEY: "c2hvcnQ=" })).toMatch(
      /^SIGNALMAN_SECRET_KEY holds 5 bytes as base64; a key must have 32/,
    );
  });

  test("the database's password is not repeated", () => {
    expect(complaint({ databaseUrl: "postgre://u:hunter2@host/db" }, {})).not.toMatch(/hunter2/);
  });

  test("every setting is tested here", () => {
    const shown = new Set<string>([...BAD.map(([key]) => key), "tokens", "hooks", "secretKeys", "dataDir"]);
    expect([...Object.keys(SETTINGS)].sort()).toEqual([...shown].sort());
  });
});

describe("a variable SIGNALMAN_… that is no setting", () => {
  test("is an error that names it and the valid ones", () => {
    const told = complaint({}, { SIGNALMAN_LISTN: "127.0.0.1:1" });
    expect(told).toMatch(/^unknown setting SIGNALMAN_LISTN; expected one of .*SIGNALMAN_LISTEN/);
  });

  test("is ignored if the client reads it, or if a task sets it in which this server runs", () => {
    expect(complaint({}, { SIGNALMAN_SERVER: "http://x", SIGNALMAN_TASK: "id", OTHER: "x" })).toBe("");
  });
});
