import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { PrepareError } from "../../task/errors.ts";

/** Whether make accepts a variable of this name on its command line and exports it to recipes. */
export const isVariableName = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);

/**
 * Returns variables as NAME=VALUE arguments, sorted by name. make expands values: `$` is doubled, and leading white space,
 * which make would drop, gets an empty expansion before it.
 * @throws PrepareError for a name that make does not accept
 */
export function makeVariables(variables: JsonObject): string[] {
  return Object.keys(variables)
    .sort()
    .map((name) => {
      if (!isVariableName(name))
        throw new PrepareError(
          `Cannot pass variable ${JSON.stringify(name)} to make: its name must consist of letters, digits and _, and not begin with a digit`,
        );
      return `${name}=${literal(textOf(variables[name] ?? null))}`;
    });
}

const literal = (text: string) => text.replaceAll("$", "$$$$").replace(/^(?=\s)/, "$$()");

const textOf = (value: JsonValue) => (typeof value === "string" ? value : JSON.stringify(value));
