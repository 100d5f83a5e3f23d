import { homedir } from "node:os";
import { join } from "node:path";
import { decodeSecretKeys } from "../keys/secret-key.ts";
import { setting } from "./setting.ts";
import { parseDatabaseUrl } from "./values.ts";

/** Settings of what the server stores: its folder, its database, and the keys of stored secrets. */
export const STORAGE_SETTINGS = {
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
    file: { flag: "database-url-file", credential: "signalman-database-url" },
    placeholder: "URL",
    description: "PostgreSQL 14 or newer",
    default: "an embedded PostgreSQL in the data folder",
    parse: (text) => (text ? parseDatabaseUrl(text) : undefined),
  }),
  secretKeys: setting({
    env: "SIGNALMAN_SECRET_KEY",
    file: { flag: "secret-key-file", credential: "signalman-secret-key" },
    placeholder: "BASE64,…",
    description:
      "32 bytes as base64 that encrypt secrets at rest; the same on all servers of one database. Earlier keys may follow after a comma: they decrypt secrets until rotate-secrets has encrypted them with the first key",
    default: "secret.key in the data folder, made on first start",
    parse: (text) => (text ? decodeSecretKeys(text) : undefined),
  }),
} as const;
