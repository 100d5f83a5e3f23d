import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { PrepareError } from "../../task/errors.ts";

/** A name that make takes on its command line, and hands on to recipes. */
export const isVariableName = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);

/**
 * Variables as arguments, in the order of their names. make expands what it is given: `$` is doubled, and a blank at the
 * beginning, which make would drop, gets an empty expansion before it.
 * @throws PrepareError for a name that make does not take
 */
export function makeVariables(variables: JsonObject): string[] {
  return Object.keys(variables)
    .sort()
    .map((name) => {
      if (!isVariableName(name))
        throw new PrepareError(
          `Cannot hand variable ${JSON.stringify(name)} to make: its name must match [A-Za-z_][A-Za-z0-9_]*`,
        );
      return `${name}=${literal(textOf(variables[name] ?? null))}`;
    });
}

const literal = (text: string) => text.replaceAll("$", "$$$$").replace(/^(?=\s)/, "$$()");

const textOf = (value: JsonValue) => (typeof value === "string" ? value : JSON.stringify(value));
