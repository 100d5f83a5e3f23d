import { homedir } from "node:os";
import { join } from "node:path";
import type { HostKeys } from "./git/ssh-options.ts";
import type { Apps } from "./jobs/apps/app.ts";
import { BUILT_IN } from "./jobs/families/all.ts";
import { decodeSecretKeys } from "./keys/secret-key.ts";
import type { IsolationSetting } from "./process/isolation/choose.ts";
import { parseApps } from "./settings/apps.ts";
import { HOOK_SETTINGS } from "./settings/hooks.ts";
import { PORT_SETTINGS } from "./settings/port.ts";
import { parseRoles, ROLES } from "./settings/roles.ts";
import { parseRunAsUsers } from "./settings/run-as-users.ts";
import { type Setting, setting } from "./settings/setting.ts";
import {
  oneOf,
  parseDatabaseUrl,
  parseFile,
  parseNames,
  parseTemplates,
  parseWhole,
} from "./settings/values.ts";
import { durationMs } from "./task/duration.ts";

/** Settings of `signalman serve`. A flag overrides the environment variable. */
export const SETTINGS = {
  ...PORT_SETTINGS,
  dataDir: setting({
    env: "SIGNALMAN_DATA_DIR",
    flag: "data-dir",
    placeholder: "DIR",
    description: "folder of this server's tasks, key and embedded database",
    default: "~/.local/share/signalman",
    parse: (text) => text || join(process.env.XDG_DATA_HOME || join(homedir(), ".local/share"), "signalman"),
  }),
  databaseUrl: setting({
    env: "DATABASE_URL",
    flag: "database-url",
    placeholder: "URL",
    description: "PostgreSQL 14 or newer",
    default: "an embedded PostgreSQL in the data folder",
    parse: (text) => (text ? parseDatabaseUrl(text) : undefined),
  }),
  secretKeys: setting({
    env: "SIGNALMAN_SECRET_KEY",
    placeholder: "BASE64,…",
    description:
      "32 bytes as base64 that encrypt secrets at rest; the same on all servers of one database. Earlier keys may follow after a comma: they decrypt secrets until rotate-secrets has encrypted them with the first key",
    default: "secret.key in the data folder, made on first start",
    parse: (text) => (text ? decodeSecretKeys(text) : undefined),
  }),
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
export type Config = Readonly<{ [K in keyof Settings]: ReturnType<Settings[K]["parse"]> }>;
/** Texts of the flags on the command line, by setting; `true` for a switch. */
export type Flags = Partial<Record<keyof Settings, string>>;

/** Variables of Signalman that are not settings of the server. */
const OTHERS = new Set(["SIGNALMAN_SERVER", "SIGNALMAN_CA_FILE", "SIGNALMAN_TASK", "SIGNALMAN_PUMP"]);

/** Thrown for a setting that is not valid; the message names the variable or the flag. */
export class ConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ConfigError";
  }
}

/** Reads all settings. @throws ConfigError if one is not valid or not known. */
export function readConfig(flags: Flags, env: NodeJS.ProcessEnv): Config {
  const known = new Set<string>(Object.values(SETTINGS).map((s) => s.env));
  const unknown = Object.keys(env).find(
    (name) => name.startsWith("SIGNALMAN_") && !known.has(name) && !OTHERS.has(name),
  );
  if (unknown) throw new ConfigError(`unknown setting ${unknown}; expected one of ${[...known].join(", ")}`);
  const entries = Object.entries(SETTINGS).map(([key, definition]) => [
    key,
    read(definition, flags[key as keyof Settings], env),
  ]);
  const config = Object.freeze(Object.fromEntries(entries)) as Config;
  const fault = conflictIn(config);
  if (fault !== undefined) throw new ConfigError(fault);
  return config;
}

/** Returns which settings contradict each other, and what to do; undefined if none do. */
function conflictIn(config: Config): string | undefined {
  if (config.roles.length < ROLES.length && config.databaseUrl === undefined)
    return `SIGNALMAN_ROLES is ${config.roles.join()} only, so another server has the other role: set DATABASE_URL to the database of both`;
  if (config.noAuth && config.tokens)
    return "--no-auth accepts calls without a token, but SIGNALMAN_TOKEN is set: leave one of them out";
  if ((config.tlsCert === undefined) !== (config.tlsKey === undefined))
    return "TLS needs both --tls-cert and --tls-key (SIGNALMAN_TLS_CERT, SIGNALMAN_TLS_KEY); got only one of them";
  if (config.plaintext && config.tlsCert)
    return "--plaintext is for a port without TLS, but --tls-cert is given: leave one of them out";
  return undefined;
}

function read(definition: Setting<unknown>, flag: string | undefined, env: NodeJS.ProcessEnv): unknown {
  const { parse } = definition;
  try {
    return parse(flag ?? (env[definition.env] || undefined));
  } catch (cause) {
    const name = flag === undefined ? definition.env : `--${definition.flag}`;
    throw new ConfigError(`${name} ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
