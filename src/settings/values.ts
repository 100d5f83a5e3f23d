import { resolve } from "node:path";
import { durationMs } from "../task/duration.ts";

/*
 * Parsers of settings. Each returns the value of a setting's text, or throws an Error whose message completes
 * "SIGNALMAN_X …".
 */

export function parseListen(text: string): { host: string; port: number } {
  const match = /^(\[[^\]]+\]|[^:[\]]*):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match || port > 65_535) throw new Error(`must be HOST:PORT, such as 127.0.0.1:8480, not ${text}`);
  return { host: (match[1] ?? "").replace(/^\[|\]$/g, ""), port };
}

export function parseOrigins(text: string): "*" | string[] {
  if (text === "*") return "*";
  const origins = text.split(",").filter((origin) => origin !== "");
  const wrong = origins.find((origin) => !URL.canParse(origin) || new URL(origin).origin !== origin);
  if (wrong === undefined) return origins;
  throw new Error(`must be * or origins such as https://app.example.com, joined by commas, not ${wrong}`);
}

export function parseDatabaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^postgres(ql)?:$/.test(url.protocol)) return text;
  throw new Error("must be a URL such as postgres://user:password@host:5432/database");
}

/** Returns the absolute path, which means the same in every working directory. */
export function parseFile(text: string): string {
  if (!/["\r\n]/.test(text)) return resolve(text);
  throw new Error(`must be a path without quotation marks and line breaks, not ${JSON.stringify(text)}`);
}

/** Parses tokens that are joined by commas. The error does not quote them. */
export function parseTokens(text: string): string[] {
  const tokens = text.split(",").map((token) => token.trim());
  if (tokens.every((token) => /^[\x21-\x7e]{16,}$/.test(token))) return tokens;
  const each = tokens.length > 1 ? "between commas each token " : "";
  throw new Error(`${each}must have at least 16 characters, all of them visible ASCII`);
}

/** Parses the variable of a switch. */
export function parseSwitch(text = "false"): boolean {
  return oneOf(text, ["true", "false"]) === "true";
}

export function parseHosts(text: string): "*" | string[] {
  if (text === "*") return "*";
  const names = text.split(",").filter((name) => name !== "");
  const wrong = names.find((name) => !/^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?$/.test(name));
  if (wrong === undefined) return names;
  throw new Error(
    `must be * or host names such as ci.example.com, without ports, joined by commas, not ${wrong}`,
  );
}

export function parseWhole(text: string, from: number, to: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= from && value <= to) return value;
  throw new Error(`must be a whole number from ${from} to ${to}, not ${text}`);
}

/** Parses a duration; `from`, `to`: limits, as texts. */
export function parseDuration(text: string, from: string, to: string): number {
  const ms = durationMs(text);
  if (ms >= durationMs(from) && ms <= durationMs(to)) return ms;
  throw new Error(`must be a duration from ${from} to ${to}, not ${text}`);
}

export function parseNames(text: string): string[] {
  const names = text.split(",").filter((name) => name !== "");
  const wrong = names.find((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  if (wrong !== undefined) throw new Error(`must be names of variables, joined by commas, not ${wrong}`);
  return names;
}

export function parseTags(text: string): string[] {
  const tags = text.split(",").filter((tag) => tag !== "");
  const wrong = tags.find((tag) => !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(tag));
  if (wrong === undefined) return tags;
  throw new Error(
    `must be tags of up to 63 lower-case letters, digits and hyphens, joined by commas, not ${wrong}`,
  );
}

export function parseTemplates(text: string): string[] {
  const names = text.split(",").filter((name) => name !== "");
  const wrong = names.find((name) => !/^projects\/[^/]+\/templates\/[^/]+$/.test(name));
  if (wrong === undefined) return names;
  throw new Error(`must be names such as projects/x/templates/y, joined by commas, not ${wrong}`);
}

export function oneOf<T extends string>(text: string, values: readonly T[]): T {
  const value = values.find((v) => v === text);
  if (value !== undefined) return value;
  throw new Error(`must be one of ${values.join(", ")}, not ${text}`);
}
