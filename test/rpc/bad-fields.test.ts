import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";
import type postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ApplyCatalogRequestSchema,
  CatalogSchema,
  CatalogService,
} from "../../gen/signalman/v1/catalog_service_pb.ts";
import { pathText } from "../../src/cli/catalog/path.ts";
import { decode } from "../../src/rpc/json/decode.ts";
import { keyLike } from "../support/private-key.ts";
import { startService, type TestService } from "../support/service.ts";
import { everythingIn, openSql, refusal } from "./support.ts";

/** Fields that a valid message needs, by the name of the message. */
const RIGHT: Record<string, JsonObject> = {
  Project: { name: "bad" },
  AccessKey: { name: "key", text: { value: "x" } },
  SshKey: { privateKey: keyLike("x") },
  LoginPassword: { password: "x" },
  SecretText: { value: "x" },
  Repository: { name: "scripts", url: "/" },
  Inventory: { name: "hosts", ini: "" },
  InventoryFile: { path: "x" },
  Environment: { name: "env" },
  Template: { name: "run", app: "sh", repository: "scripts", path: "x" },
  Vault: { key: "key" },
  SurveyVariable: { name: "question" },
  SurveyValue: { value: "x" },
  AnsibleSettings: {},
  TerraformSettings: {},
  MakeSettings: {},
  StageArguments: {},
  BackendOverride: { type: "s3" },
  Hook: { name: "hook", event: "HOOK_EVENT_AFTER_TASK", http: { url: "https://example.org/" } },
  RoleBinding: { name: "binding", account: "ci", roles: ["ROLE_VIEWER"] },
  HttpHook: { url: "https://example.org/" },
  ProgramHook: { app: "sh", script: "true" },
};
/** Output-only fields, whose values in requests are ignored. */
const OUTPUT_ONLY = ["etag", "create_time", "update_time", "secret_variable_names", "secret_env_names"];

interface Case {
  /** Path in the contract; for a value in a map or a Struct, up to that field. */
  path: string;
  /** Catalog with a value that breaks a rule; none for a bool, which has no invalid value. */
  broken: JsonObject | undefined;
  /** Catalog with a value of another type, and the path in the file; none if every JSON value is valid. */
  mistyped: JsonObject | undefined;
  place: string;
}

type Wrap = (json: JsonObject) => JsonObject;

/** Returns a case for every field of a message and of the messages within it. */
function casesOf(desc: DescMessage, wrap: Wrap, path: string, place: string): Case[] {
  return desc.fields
    .filter(({ name }) => !OUTPUT_ONLY.includes(name))
    .flatMap((field) => {
      const put = (value: JsonValue) => wrap({ ...without(desc, field), [field.jsonName]: value });
      const isMany = field.fieldKind === "list";
      const at = `${path === "" ? "" : `${path}.`}${field.name}${isMany && field.listKind === "message" ? "[0]" : ""}`;
      const inFile = `${place === "" ? "" : `${place}.`}${field.jsonName}`;
      const one: Case = {
        path: at,
        broken: brokenBy(field, put),
        mistyped: mistypedBy(field, put),
        place: inFile,
      };
      if (!field.message || field.message.typeName.startsWith("google.") || field.fieldKind === "map")
        return [one];
      const inner = field.message;
      const many = (json: JsonObject) => put(isMany ? [json] : json);
      return [...(one.broken ? [one] : []), ...casesOf(inner, many, at, isMany ? `${inFile}[0]` : inFile)];
    });
}

/** Returns the fields that the message needs besides this one; of a oneof only one may be set. */
function without(desc: DescMessage, field: DescField): JsonObject {
  const rivals = field.oneof?.fields.map(({ jsonName }) => jsonName) ?? [];
  const right = RIGHT[desc.name] ?? (desc === CatalogSchema ? { project: { name: "bad" } } : undefined);
  if (!right) throw new Error(`Say what ${desc.name} needs to be right`);
  return Object.fromEntries(Object.entries(right).filter(([name]) => !rivals.includes(name)));
}

/** Returns a catalog with an invalid value: text with NUL, a number out of range, or enum value 99. */
function brokenBy(field: DescField, put: (value: JsonValue) => JsonObject): JsonObject | undefined {
  if (field.fieldKind === "enum") return put(99);
  if (field.fieldKind === "map")
    return put({ init: field.mapKind === "message" ? { arguments: ["\0"] } : "\0" });
  if (field.fieldKind === "list") return field.listKind === "scalar" ? put(["\0"]) : undefined;
  if (field.fieldKind === "scalar")
    return field.scalar === ScalarType.BOOL ? undefined : put(field.scalar === ScalarType.STRING ? "\0" : -1);
  if (field.message.typeName === "google.protobuf.Duration") return put("0s");
  return field.message.typeName.startsWith("google.") ? put({ a: "\0" }) : undefined;
}

function mistypedBy(field: DescField, put: (value: JsonValue) => JsonObject): JsonObject | undefined {
  if (field.message?.typeName === "google.protobuf.Value") return undefined;
  return put(field.fieldKind === "scalar" || field.fieldKind === "enum" ? {} : 5);
}

const CASES = casesOf(CatalogSchema, (json) => json, "", "");
const MISTYPED = CASES.flatMap(({ place, mistyped }) => (mistyped ? [[place, mistyped] as const] : []));
const BROKEN = CASES.flatMap(({ path, broken }) => (broken ? [[path, broken] as const] : []));

let service: TestService;
let sql: postgres.Sql;
beforeAll(async () => {
  service = await startService();
  sql = openSql(service);
});
afterAll(async () => {
  await sql.end();
  await service[Symbol.asyncDispose]();
});

describe("ApplyCatalog refuses a bad value by the path of its field", () => {
  test("in every field: there are more than 100 cases", () => {
    expect(BROKEN.length).toBeGreaterThan(80);
    expect(CASES.length).toBeGreaterThan(100);
  });

  test.each(BROKEN)("%s", async (path, catalog) => {
    const before = await everythingIn(sql);
    const request = fromJson(ApplyCatalogRequestSchema, { catalog });
    const { code, fields } = await refusal(service.client(CatalogService).applyCatalog(request));
    expect(code).toBe("InvalidArgument");
    expect(fields.filter((field) => field.startsWith(`catalog.${path}`))).not.toEqual([]);
    expect(await everythingIn(sql)).toBe(before);
  });
});

describe("a value of the wrong type in a catalog file is reported by its path", () => {
  test.each(MISTYPED)("%s", (place, json) => {
    const { problems } = decode(CatalogSchema, json);
    expect(problems.map(({ path }) => pathText(path))).toEqual([expect.stringContaining(place)]);
  });

  test.each([
    [{ templates: [{ runTimeout: "10m" }] }, 'expected seconds, such as "600s", got "10m"'],
    [
      { templates: [{ type: "BUILD" }] },
      'must be one of TEMPLATE_TYPE_TASK, TEMPLATE_TYPE_BUILD, TEMPLATE_TYPE_DEPLOY; got "BUILD"',
    ],
    [{ templates: ["hello"] }, 'expected fields with values, got "hello"'],
    [[], "expected fields with values, got a list"],
    [null, "expected fields with values, got nothing"],
  ])("with a description of the expected value: %j", (json, said) => {
    expect(decode(CatalogSchema, json).problems.map(({ description }) => description)).toEqual([said]);
  });
});
