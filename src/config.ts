import type { HostKeys } from "./git/ssh-options.ts";
import type { Apps } from "./jobs/apps/app.ts";
import { BUILT_IN } from "./jobs/families/all.ts";
import type { IsolationSetting } from "./process/isolation/choose.ts";
import { parseApps } from "./settings/apps.ts";
import { HOOK_SETTINGS } from "./settings/hooks.ts";
import { PORT_SETTINGS } from "./settings/port.ts";
import { parseRoles, ROLES } from "./settings/roles.ts";
import { parseRunAsUsers } from "./settings/run-as-users.ts";
import { fileKey, formsOf, type Setting, setting } from "./settings/setting.ts";
import { type Source, sourceOf } from "./settings/source.ts";
import { STORAGE_SETTINGS } from "./settings/storage.ts";
import { oneOf, parseFile, parseNames, parseTags, parseTemplates, parseWhole } from "./settings/values.ts";
import { durationMs } from "./task/duration.ts";
import { messageOf } from "./task/errors.ts";

/** Settings of `signalman serve`. A flag overrides the environment variable. */
export const SETTINGS = {
  ...PORT_SETTINGS,
  ...STORAGE_SETTINGS,
  roles: setting({
    env: "SIGNALMAN_ROLES",
    flag: "roles",
    placeholder: "ROLE,…",
    description:
      "roles of this server: api (answers calls), runner (runs tasks); a server with one of them needs DATABASE_URL",
    default: ROLES.join(","),
    parse: (text = ROLES.join(",")) => parseRoles(text),
  }),
  maxParallelTasks: setting({
    env: "SIGNALMAN_MAX_PARALLEL_TASKS",
    flag: "max-parallel-tasks",
    placeholder: "N",
    description: "number of tasks that run at once on this server, 1 to 1000",
    default: "10",
    parse: (text = "10") => parseWhole(text, 1, 1000),
  }),
  tags: setting({
    env: "SIGNALMAN_TAGS",
    flag: "tags",
    placeholder: "TAG,…",
    description: "tags of this server: templates with nodeTags run only on servers that have all of these",
    default: "none",
    parse: (text = "") => parseTags(text),
  }),
  apps: setting({
    env: "SIGNALMAN_APPS",
    flag: "apps",
    placeholder: "JSON",
    description:
      'more apps by name, such as {"perl": {"command": "perl", "args": ["-w"], "env": {"A": "b"}}}',
    default: `only ${Object.keys(BUILT_IN).join(", ")}`,
    parse: (text): Apps => ({ ...BUILT_IN, ...(text ? parseApps(text) : {}) }),
  }),
  forwardedEnv: setting({
    env: "SIGNALMAN_FORWARDED_ENV",
    flag: "forwarded-env",
    placeholder: "NAME,…",
    description: "environment variables of the server that every task inherits, in addition to PATH and LANG",
    default: "none",
    parse: (text = "") => parseNames(text),
  }),
  isolation: setting({
    env: "SIGNALMAN_ISOLATION",
    flag: "isolation",
    placeholder: "MODE",
    description:
      "separation of tasks from this server and from each other: namespaces, none, or auto (namespaces where this machine allows them)",
    default: "auto",
    parse: (text = "auto"): IsolationSetting => oneOf(text, ["auto", "namespaces", "none"]),
  }),
  isolationExempt: setting({
    env: "SIGNALMAN_ISOLATION_EXEMPT",
    flag: "isolation-exempt",
    placeholder: "TEMPLATE,…",
    description:
      "templates, such as projects/x/templates/y, whose tasks run without isolation, since they need sudo, su or become on this machine",
    default: "none",
    parse: (text = "") => parseTemplates(text),
  }),
  runAsUsers: setting({
    env: "SIGNALMAN_RUN_AS_USERS",
    flag: "run-as-users",
    placeholder: "SCOPE:USER,…",
    description:
      "users as whom a server that runs as root runs tasks: default: runner, projects/x: web, projects/x/templates/y: other; the most specific entry counts",
    default: "none: tasks run as the server's user",
    parse: (text = "") => parseRunAsUsers(text),
  }),
  sshHostKeys: setting({
    env: "SIGNALMAN_SSH_HOST_KEYS",
    flag: "ssh-host-keys",
    placeholder: "HOW",
    description:
      "check of SSH host keys: accept-new (stores the key of a new host, refuses another key later), strict (known hosts only) or off",
    default: "accept-new",
    parse: (text = "accept-new"): HostKeys => oneOf(text, ["accept-new", "strict", "off"]),
  }),
  sshKnownHosts: setting({
    env: "SIGNALMAN_SSH_KNOWN_HOSTS",
    flag: "ssh-known-hosts",
    placeholder: "FILE",
    description: "file of known hosts, in addition to the machine's own; new hosts are added to it",
    default: "known_hosts in the data folder",
    parse: (text) => (text ? parseFile(text) : undefined),
  }),
  ...HOOK_SETTINGS,
  lostTimeout: setting({
    env: "SIGNALMAN_LOST_TIMEOUT",
    flag: "lost-timeout",
    placeholder: "DURATION",
    description: "time that another server may be away before its running tasks end as LOST",
    default: "10m",
    parse: (text = "10m") => durationMs(text),
  }),
  auditRetention: setting({
    env: "SIGNALMAN_AUDIT_RETENTION",
    flag: "audit-retention",
    placeholder: "DURATION",
    description: "time for which new audit events are kept; the server that was started last decides for all",
    default: "365d",
    parse: (text = "365d") => durationMs(text),
  }),
  logLevel: setting({
    env: "SIGNALMAN_LOG_LEVEL",
    flag: "log-level",
    placeholder: "LEVEL",
    description: "debug, info, warn or error",
    default: "info",
    parse: (text = "info") => oneOf(text, ["debug", "info", "warn", "error"]),
  }),
  logFormat: setting({
    env: "SIGNALMAN_LOG_FORMAT",
    flag: "log-format",
    placeholder: "FORMAT",
    description: "json, or pretty for people",
    default: "pretty on a terminal, else json",
    parse: (text) => oneOf(text || (process.stderr.isTTY ? "pretty" : "json"), ["json", "pretty"]),
  }),
  compression: setting({
    env: "SIGNALMAN_COMPRESSION",
    flag: "compression",
    placeholder: "KIND",
    description: "none, or gzip for clients that accept it; useful only over slow networks",
    default: "none",
    parse: (text = "none") => oneOf(text, ["none", "gzip"]),
  }),
} as const;

type Settings = typeof SETTINGS;
type Key = keyof Settings;
export type Config = Readonly<{ [K in Key]: ReturnType<Settings[K]["parse"]> }> & {
  /** Files that hold secrets of this server, since settings name them. */
  readonly secretFiles: readonly string[];
};
/** Texts of the flags on the command line, by setting; `true` for a switch. `KEYFile`: path of the file that holds a secret. */
export type Flags = Partial<Record<Key, string>> & Partial<Record<`${Key}File`, string>>;

/** Names of the variables that hold secrets of the server. */
export const SECRET_VARIABLES = Object.values<Setting<unknown>>(SETTINGS)
  .filter(({ file }) => file !== undefined)
  .map(({ env }) => env);

/** Variables of Signalman that are not settings of the server. */
const OTHERS = ["SIGNALMAN_SERVER", "SIGNALMAN_CA_FILE", "SIGNALMAN_TASK", "SIGNALMAN_PUMP"];

/** Thrown for a setting that is not valid; the message names the variable or the flag. */
export class ConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ConfigError";
  }
}

/** Reads all settings. @throws ConfigError if one is not valid or not known. */
export function readConfig(flags: Flags, env: NodeJS.ProcessEnv): Config {
  const known = formsOf(SETTINGS).map((form) => form.env);
  const unknown = Object.keys(env).find(
    (name) => name.startsWith("SIGNALMAN_") && ![...known, ...OTHERS].includes(name),
  );
  if (unknown) throw new ConfigError(`unknown setting ${unknown}; expected one of ${known.join(", ")}`);
  const secretFiles: string[] = [];
  const entries = Object.entries<Setting<unknown>>(SETTINGS).map(([name, definition]) => {
    const key = name as Key;
    const source = findSource(definition, { value: flags[key], file: flags[fileKey(key)] }, env);
    if (source?.file !== undefined) secretFiles.push(source.file);
    return [key, parse(definition, source)] as const;
  });
  const config = Object.freeze({ ...Object.fromEntries(entries), secretFiles } as unknown as Config);
  const fault = conflictIn(config);
  if (fault !== undefined) throw new ConfigError(fault);
  return config;
}

/** Returns which settings contradict each other, and what to do; undefined if none do. */
function conflictIn(config: Config): string | undefined {
  if (config.roles.length < ROLES.length && config.databaseUrl === undefined)
    return `SIGNALMAN_ROLES is ${config.roles.join()} only, so another server has the other role: set DATABASE_URL to the database of both`;
  if (config.noAuth && config.tokens)
    return "--no-auth accepts calls without a token, but SIGNALMAN_TOKEN is set, or its file or credential: leave one of them out";
  if ((config.tlsCert === undefined) !== (config.tlsKey === undefined))
    return "TLS needs both --tls-cert and --tls-key (SIGNALMAN_TLS_CERT, SIGNALMAN_TLS_KEY); got only one of them";
  if (config.plaintext && config.tlsCert)
    return "--plaintext is for a port without TLS, but --tls-cert is given: leave one of them out";
  const forwarded = config.forwardedEnv.find((name) => SECRET_VARIABLES.includes(name));
  if (forwarded !== undefined)
    return `SIGNALMAN_FORWARDED_ENV names ${forwarded}, which is a secret of the server and is not passed to tasks: take it out`;
  return undefined;
}

function findSource(...given: Parameters<typeof sourceOf>): Source | undefined {
  try {
    return sourceOf(...given);
  } catch (cause) {
    throw new ConfigError(messageOf(cause), { cause });
  }
}

function parse(definition: Setting<unknown>, source: Source | undefined): unknown {
  try {
    return definition.parse(source?.text);
  } catch (cause) {
    throw new ConfigError(`${source?.name ?? definition.env} ${messageOf(cause)}`, { cause });
  }
}
