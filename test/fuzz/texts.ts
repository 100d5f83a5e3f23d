import type { Random } from "./random.ts";

/** Odd texts. None of them names anything outside of the test if it is read as a path, a URL or a command. */
const WILD = [
  "",
  " ",
  "\0",
  "a\0b",
  "-",
  "--help",
  "..",
  "../../nowhere",
  "/nonexistent/place",
  "projects/",
  "projects//templates/",
  "projects/-",
  "projects/demo/templates/",
  "projects/DEMO",
  "projects/demo/tasks/0192f0c1-0000-7000-8000-00000000000g",
  "0192f0c1-0000-7000-8000-000000000001",
  "__proto__",
  "constructor",
  "toString",
  "'; SELECT 1; --",
  "%s%n%d",
  "{{name}}",
  "\\u0000",
  "a\r\nb\tc",
  "ü".repeat(300),
  "🚀".repeat(90),
  "\u202eabc",
  "\ufffd\ud7ff\uffff",
  "x".repeat(70_000),
  "NaN",
  "1e999",
  "9223372036854775808",
  "status = RUNNING",
  "status = ",
  '"',
  "(((((((((((((((((((((((((((((((((((",
];

const PLAIN = ["a", "b1", "value", "Some words, for people", "1.0.0", "Größe", "x y"];

export const wildText = (random: Random): string => random.pick(WILD);
export const plainText = (random: Random): string => random.pick(PLAIN);

/** Returns a slightly changed text. */
export function mutate(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  const other = random.pick(["x", "/", "A", "\0", "é", "0", "-", "."]);
  return random.pick([
    text.slice(0, at) + text.slice(at + 1),
    text.slice(0, at) + other + text.slice(at),
    text + text,
    text.toUpperCase(),
    ` ${text}`,
  ]);
}

/** Returns a key that a map probably accepts, by the map's name and its comment. */
export function mapKey(random: Random, field: string, comment: string): string {
  if (comment.includes("keys match `[a-z0-9]")) return random.pick(["team", "a-b", "x/y.z"]);
  if (comment.includes("the stage is `init`, `plan` or `apply`"))
    return random.pick(["init", "plan", "apply"]);
  if (field.startsWith("secret_")) return random.pick(["SECRET", "TOKEN"]);
  return random.pick(["A", "STAGE", "team", "a_b"]);
}
