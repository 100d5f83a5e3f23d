import { resolve } from "node:path";
import { parseHookNetworks } from "./hook-networks.ts";
import { setting } from "./setting.ts";

/** Settings of hooks. */
export const HOOK_SETTINGS = {
  hooks: setting({
    env: "SIGNALMAN_HOOKS",
    flag: "hooks",
    placeholder: "FILE,…",
    description: "ES modules with hooks that run before or after every task",
    default: "none",
    parse: (text = "") =>
      text
        .split(",")
        .filter((path) => path !== "")
        .map((path) => resolve(path)),
  }),
  hookNetworks: setting({
    env: "SIGNALMAN_HOOK_NETWORKS",
    flag: "hook-networks",
    placeholder: "NETWORK,…",
    description:
      "what HTTP hooks of catalogs may call: networks such as 10.0.0.0/8, addresses with a port such as 127.0.0.1:8480, or any. Link-local addresses, metadata services, and the addresses of this service and its database are refused unless listed with their port",
    default: "any",
    parse: (text = "any") => parseHookNetworks(text),
  }),
} as const;
