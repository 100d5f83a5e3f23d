import { z } from "zod";
import { chosenCatalogName } from "./names.ts";
import { isInside } from "./paths.ts";
import { type Breach, free, received, rule, ruleAt } from "./rule.ts";
import { repeated } from "./survey.ts";
import { args, hasAtMost, int, oneOf } from "./values.ts";

const vault = z.object({
  name: rule(z.string(), "at most 100 characters", isVaultName, "without @ and white space"),
  key: chosenCatalogName("projects/{project}/accessKeys/{key}"),
  script: rule(
    z.string().optional(),
    "relative to the root of the repository; it must stay inside the repository",
    (path) => path === undefined || isInside(path),
  ),
});

export const vaults = () => {
  const whole = oneOf(vault, "One of `key` and `script` is required", ["key", "script"]);
  const few = rule(z.array(whole), "At most 50", (list) => list.length <= 50);
  return ruleAt(few, "each name once", (list) =>
    repeated(list.map(({ name }) => ({ name: name || "default" }))),
  );
};

function isVaultName(name: string): boolean {
  return hasAtMost(100, name) && !/[@\s\0]/.test(name);
}

export const ansibleSettings = z.object({
  limit: args(),
  tags: args(),
  skip_tags: args(),
  verbosity: int("0 to 6", 0, 6),
  allow_override_limit: free(),
  allow_override_tags: free(),
  allow_override_skip_tags: free(),
  allow_override_verbosity: free(),
});

const TARGET = "each the name of a target: not empty, not an option, without `=` and `$`";

export const makeSettings = z.object({
  targets: ruleAt(args(), TARGET, (list) =>
    [...list.entries()]
      .filter(([, text]) => text === "" || /^-|[=$]/.test(text))
      .map(([index, text]) => ({ path: [index], got: received(text) })),
  ),
});

const STAGES = ["init", "plan", "apply"];
type Stages = Record<string, { arguments: string[] }>;

const backend = z.object({
  type: rule(
    z.string(),
    "Required. Type of the backend, such as `http`, `s3`, `local`; matches `[a-z][a-z0-9_]*`",
    (type) => /^[a-z][a-z0-9_]*$/.test(type),
    "lower-case letters, digits and _, a letter first",
  ),
  config: ruleAt(
    rule(z.custom<Record<string, string>>(), "At most 100", (map) => Object.keys(map).length <= 100),
    "names match `[A-Za-z_][A-Za-z0-9_-]*`, values hold no NUL",
    (map): Breach[] =>
      Object.entries(map)
        .filter(([name, value]) => !/^[A-Za-z_][A-Za-z0-9_-]*$/.test(name) || value.includes("\0"))
        .map(([name]) => ({ path: [name], got: received(name) })),
    "letters, digits, _ and -, first a letter or _",
  ),
});

export const terraformSettings = z.object({
  auto_approve: free(),
  allow_auto_approve: free(),
  allow_destroy: free(),
  stage_arguments: ruleAt(
    ruleAt(z.custom<Stages>(), "the stage is `init`, `plan` or `apply`", unknownStages),
    "At most 1000, no NUL",
    badArguments,
  ),
  backend: backend.optional(),
});

function unknownStages(stages: Stages): Breach[] {
  const unknown = Object.keys(stages).filter((stage) => !STAGES.includes(stage));
  return unknown.map((stage) => ({ path: [stage], got: received(stage) }));
}

function badArguments(stages: Stages): Breach[] {
  const isFit = (list: string[]) => list.length <= 1000 && !list.some((text) => text.includes("\0"));
  return Object.entries(stages)
    .filter(([, { arguments: list }]) => !isFit(list))
    .map(([stage, { arguments: list }]) => ({ path: [stage, "arguments"], got: received(list) }));
}
