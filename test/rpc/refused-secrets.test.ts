import http2 from "node:http2";
import { text } from "node:stream/consumers";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";

/** Secret in every request below, which must not appear anywhere else. */
const SECRET = "hunter2-correct-horse";

let service: TestService;
beforeAll(async () => {
  service = await startService({ env: { SIGNALMAN_LOG_LEVEL: "debug" } });
  await applyDemo(service, { hello: "true" });
});
afterAll(() => service[Symbol.asyncDispose]());

const TYPES = ["application/json", "application/grpc+json", "application/grpc-web+json"];

/** Returns the whole response to a call: head, body and trailers. */
async function answer(method: string, body: string, type = "application/json"): Promise<string> {
  const session = http2.connect(service.url);
  try {
    const headers = {
      ":method": "POST",
      ":path": `/signalman.v1.${method}`,
      "content-type": type,
      te: "trailers",
    };
    const call = session.request(headers);
    const parts: string[] = [];
    const note = (head: http2.IncomingHttpHeaders) => parts.push(decodeURIComponent(JSON.stringify(head)));
    call.on("response", note).on("trailers", note);
    call.end(type === "application/json" ? body : frame(body));
    parts.push(await text(call));
    // Details are base64-encoded messages.
    const codes = parts.join("\n").match(/[\w+/=-]{16,}/g) ?? [];
    return [...parts, ...codes.map((code) => Buffer.from(code, "base64").toString("latin1"))].join("\n");
  } finally {
    session.destroy();
  }
}

function frame(body: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(Buffer.byteLength(body), 1);
  return Buffer.concat([head, Buffer.from(body)]);
}

const run = (more: JsonObject) => JSON.stringify({ template: "projects/demo/templates/hello", ...more });
const key = (accessKey: JsonValue) =>
  JSON.stringify({ parent: "projects/demo", accessKeyId: "key", accessKey });
const catalog = (more: JsonObject) => JSON.stringify({ catalog: { project: { name: "demo" }, ...more } });

const RUN = "TaskService/RunTask";
const CREATE_KEY = "AccessKeyService/CreateAccessKey";
const APPLY = "CatalogService/ApplyCatalog";
const deep = (value: JsonValue, levels: number): JsonValue =>
  levels === 0 ? value : { a: deep(value, levels - 1) };

const REFUSED: [string, string, string, field: string][] = [
  [
    "a private key that is none",
    CREATE_KEY,
    key({ ssh: { privateKey: SECRET } }),
    "access_key.ssh.private_key",
  ],
  [
    "a private key that is a list",
    CREATE_KEY,
    key({ ssh: { privateKey: [SECRET] } }),
    "access_key.ssh.private_key",
  ],
  ["a key in the place of its message", CREATE_KEY, key({ ssh: SECRET }), "access_key.ssh"],
  ["text in the place of its message", CREATE_KEY, key({ text: SECRET }), "access_key.text"],
  ["a key as text", CREATE_KEY, key(SECRET), "access_key"],
  ["a catalog as text", APPLY, JSON.stringify({ catalog: `password: ${SECRET}` }), "catalog"],
  ["a request as text", RUN, JSON.stringify(SECRET), ""],
  [
    "a password that is an object",
    CREATE_KEY,
    key({ loginPassword: { password: { [SECRET]: 1 } } }),
    "access_key.login_password.password",
  ],
  ["a secret as an unknown field", CREATE_KEY, key({ text: { [SECRET]: "" } }), "access_key.text"],
  [
    "a secret with broken Unicode",
    CREATE_KEY,
    key({ text: { value: `${SECRET}\ud800` } }),
    "access_key.text.value",
  ],
  ["a secret with a NUL", CREATE_KEY, key({ text: { value: `${SECRET}\0` } }), "access_key.text.value"],
  ["a list of secrets", RUN, run({ secretVariables: { A: [SECRET] } }), 'secret_variables["A"]'],
  ["secrets that are no map", RUN, run({ secretVariables: SECRET }), "secret_variables"],
  ["a secret with a NUL", RUN, run({ secretVariables: { A: `${SECRET}\0` } }), 'secret_variables["A"]'],
  [
    "a secret in a catalog's environment",
    APPLY,
    catalog({ environments: [{ name: "e", secretEnv: { A: [SECRET] } }] }),
    'catalog.environments[0].secret_env["A"]',
  ],
  [
    "a key of a catalog",
    APPLY,
    catalog({ accessKeys: [{ name: "k", ssh: { privateKey: SECRET } }] }),
    "catalog.access_keys[0].ssh.private_key",
  ],
  [
    "a key of a catalog as a number",
    APPLY,
    catalog({ accessKeys: [{ name: "k", ssh: { privateKey: { a: SECRET } } }] }),
    "catalog.access_keys[0].ssh.private_key",
  ],
  [
    "a URL with a password",
    APPLY,
    catalog({ repositories: [{ name: "r", url: `https://me:${SECRET}@example.org/x` }] }),
    "catalog.repositories[0].url",
  ],
  [
    "a broken URL with a password",
    APPLY,
    catalog({ repositories: [{ name: "r", url: `https://me:${SECRET} @example.org:x` }] }),
    "catalog.repositories[0].url",
  ],
  ...[`https://me:${SECRET}%40example.org/x`, `https://me:${SECRET}#x@example.org/`].map(
    (url): [string, string, string, string] => [
      `a URL with a password, ${url}`,
      APPLY,
      catalog({ repositories: [{ name: "r", url }] }),
      "catalog.repositories[0].url",
    ],
  ),
  [
    "a URL with a token in its query",
    APPLY,
    catalog({ repositories: [{ name: "r", url: `https://example.org/x?token=${SECRET}` }] }),
    "catalog.repositories[0].url",
  ],
  [
    "a hook's URL with a password",
    APPLY,
    catalog({
      project: {
        name: "demo",
        hooks: [
          { name: "h", event: "HOOK_EVENT_AFTER_TASK", http: { url: `https://me:${SECRET}@example.org/` } },
        ],
      },
    }),
    "catalog.project.hooks[0].http.url",
  ],
  [
    "a hook's URL without a scheme",
    APPLY,
    catalog({
      project: {
        name: "demo",
        hooks: [{ name: "h", event: "HOOK_EVENT_AFTER_TASK", http: { url: `hooks.example.org/${SECRET}` } }],
      },
    }),
    "catalog.project.hooks[0].http.url",
  ],
  ["what lies too deep", RUN, run({ variables: { password: deep(SECRET, 40) } }), 'variables["password"]'],
  [
    "a secret beside JSON that ends early",
    RUN,
    run({ secretVariables: { A: SECRET } }).slice(0, -1),
    "not valid JSON",
  ],
  ["a secret without quotes", RUN, `{"secretVariables": {"A": ${SECRET}}}`, "not valid JSON"],
  ["a secret behind its quotes", RUN, `{"secretVariables": {"A": "" ${SECRET}}}`, "not valid JSON"],
];

describe.each(TYPES)("the refusal of a %s request shows no secret:", (type) => {
  test.each(REFUSED)("%s", async (_, method, body, field) => {
    const told = await answer(method, body, type);
    expect(told).toContain("INVALID_ARGUMENT");
    expect(told).toContain(field);
    expect(told).not.toContain(SECRET);
  });
});

test.each([
  ["items of the wrong type", run({ arguments: Array(500_000).fill(1), secretVariables: { A: [SECRET] } })],
  ["brackets", `{"variables": {"a": 1234567890123456789, "password": ${"[".repeat(1_000_000)}"${SECRET}"`],
  ["levels", `{"variables": {"password": ${"[".repeat(100_000)}"${SECRET}"${"]".repeat(100_000)}}}`],
])("a request of a megabyte of wrong %s is refused without quadratic work", async (_, body) => {
  const started = performance.now();
  const told = await answer(RUN, body);
  expect(told).toContain("INVALID_ARGUMENT");
  expect(told).not.toContain(SECRET);
  expect(performance.now() - started).toBeLessThan(10_000);
});

test("the log names the fields of a refused request and quotes no values", async () => {
  await answer(
    RUN,
    run({ message: "x".repeat(300) + SECRET, env: { "NOT-A-NAME": SECRET }, gitBranch: 5 as never }),
  );
  await answer(RUN, run({ message: "x".repeat(300), env: { "NOT-A-NAME": SECRET } }));
  const refused = () =>
    service
      .log()
      .split("\n")
      .filter((line) => line.includes('"invalid_argument"'))
      .join("\n");
  await expect.poll(refused).toMatch(/"fields":\[.*"message"/);
  expect(service.log()).not.toContain(SECRET);
  expect(service.log()).not.toContain("xxxx");
});

describe("a whole number that JSON readers would change is refused with the name of its field:", () => {
  const LARGE = "9007199254740993";
  const numbers: [string, string, string, string][] = [
    [
      "in a variable",
      RUN,
      `{"template": "projects/demo/templates/hello", "variables": {"id": ${LARGE}}}`,
      'variables["id"]',
    ],
    [
      "negative",
      RUN,
      `{"template": "projects/demo/templates/hello", "variables": {"id": -${LARGE}}}`,
      'variables["id"]',
    ],
    [
      "deep in one",
      RUN,
      `{"template": "projects/demo/templates/hello", "variables": {"a": {"b": [1, {"c": ${LARGE}}]}}}`,
      'variables["a"]["b"][1]["c"]',
    ],
    [
      "in a catalog",
      APPLY,
      `{"catalog": {"project": {"name": "demo"}, "environments": [{"name": "e", "variables": {"n": 12345678901234567890}}]}}`,
      'catalog.environments[0].variables["n"]',
    ],
    [
      "in an integer of the contract",
      "TaskService/ReadTaskLog",
      `{"name": "projects/demo/tasks/00000000-0000-0000-0000-000000000000", "afterSeq": ${LARGE}}`,
      "after_seq",
    ],
  ];
  test.each(numbers)("%s", async (_, method, body, field) => {
    const response = await fetch(`${service.url}/signalman.v1.${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    const { code, message } = (await response.json()) as { code: string; message: string };
    expect([code, message]).toEqual([
      "invalid_argument",
      expect.stringMatching(/: whole numbers beyond .*as text/),
    ]);
    expect(message.slice(0, field.length + 1)).toBe(`${field}:`);
  });

  test("the largest exact whole numbers, text and fractions are accepted", async () => {
    const variables = `{"a": 9007199254740991, "b": "${LARGE}", "c": 0.12345678901234567890, "d": 1e300, "e": {"x": -9007199254740991}}`;
    const told = await answer(
      RUN,
      `{"template": "projects/demo/templates/hello", "variables": ${variables}, "validateOnly": true}`,
    );
    expect(told).toContain('"a":9007199254740991');
    expect(told).toContain(`"b":"${LARGE}"`);
  });
});
