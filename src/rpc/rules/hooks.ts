import { z } from "zod";
import { HookEvent, HookEventSchema } from "../../../gen/signalman/v1/hook_pb.ts";
import { timeout } from "./durations.ts";
import { known } from "./enums.ts";
import { optionalCatalogName } from "./names.ts";
import { type Breach, free, received, rule, ruleAt } from "./rule.ts";
import { repeated } from "./survey.ts";
import { hasAtMost, int, oneOf, required } from "./values.ts";

const METHODS = ["", "GET", "POST", "PUT", "PATCH", "DELETE"];
/** Name of an HTTP header (RFC 9110, section 5.6.2). */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

const http = z.object({
  url: ruleAt(z.string(), "An `http://` or `https://` URL without login and password", (url) =>
    url === "" || isHttpUrl(url) ? [] : [{ path: [], got: hostOf(url) }],
  ),
  method: rule(z.string(), "GET, POST, PUT, PATCH or DELETE", (method) => METHODS.includes(method)),
  headers: ruleAt(
    rule(z.custom<Record<string, string>>(), "At most 50", (map) => Object.keys(map).length <= 50),
    "names and values must be valid in HTTP",
    badHeaders,
  ),
  secret_header: rule(z.string(), "must be a valid header name", (name) => name === "" || TOKEN.test(name)),
  secret_header_key: optionalCatalogName("projects/{project}/accessKeys/{key}"),
  body: free(),
  retries: int("0 to 10", 0, 10),
  url_key: optionalCatalogName("projects/{project}/accessKeys/{key}"),
  log_response: free(),
});

const oneUrl = ruleAt(http, "One of `url` and `url_key` is required", ({ url, url_key }) => {
  if ((url === "") !== (url_key === "")) return [];
  return [{ path: ["url"], got: url === "" ? "neither" : "both" }];
});

const httpHook = ruleAt(
  ruleAt(oneUrl, "`secret_header` and `secret_header_key` go together", (hook) =>
    (hook.secret_header === "") === (hook.secret_header_key === "")
      ? []
      : [{ path: ["secret_header"], got: received(hook.secret_header) }],
  ),
  "Not for GET",
  ({ method, body }) => (method === "GET" && body !== undefined ? [{ path: ["body"], got: "one" }] : []),
);

const program = z.object({
  app: required(),
  script: rule(
    rule(z.string(), "Required", (text) => text !== ""),
    "at most 65536 characters",
    (text) => hasAtMost(65_536, text),
  ),
});

const hook = z.object({
  name: rule(
    rule(z.string(), "Required", (text) => text !== ""),
    "at most 100 characters",
    (text) => hasAtMost(100, text),
  ),
  event: rule(
    known(HookEventSchema, { unspecified: true }),
    "Required",
    (event) => event !== HookEvent.UNSPECIFIED,
  ),
  http: httpHook.optional(),
  program: program.optional(),
  timeout: timeout(),
  required: free(),
});

/** Rules for the hooks of a project or a template. */
export const hooks = () => {
  const whole = oneOf(hook, "One of `http` and `program` is required", ["http", "program"]);
  const few = rule(z.array(whole), "At most 50", (list) => list.length <= 50);
  return ruleAt(few, "each name once", repeated);
};

/** Returns the part of a refused URL that an error may show. The path may be secret, as in the URL of a chat's webhook. */
function hostOf(text: string): string {
  if (!URL.canParse(text)) return "a text that is not a URL";
  const { protocol, host } = new URL(text);
  return `a URL of ${protocol}//${host}`;
}

function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
}

function badHeaders(map: Record<string, string>): Breach[] {
  const isBad = ([name, value]: [string, string]) => !TOKEN.test(name) || /[\0\r\n]/.test(value);
  return Object.entries(map)
    .filter(isBad)
    .map(([name]) => ({ path: [name], got: received(name) }));
}
