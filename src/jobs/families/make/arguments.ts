import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { PrepareError } from "../../../task/errors.ts";
import { isIdentifier } from "../../../task/identifiers.ts";

/**
 * Returns variables as NAME=VALUE arguments, sorted by name. make expands values: `$` is doubled, and leading white space,
 * which make would drop, gets an empty expansion before it.
 * @throws PrepareError for a name that is no identifier: make would not take it from its command line or not export it
 */
export function makeVariables(variables: JsonObject): string[] {
  return Object.keys(variables)
    .sort()
    .map((name) => {
      if (!isIdentifier(name))
        throw new PrepareError(
          `Cannot pass variable ${JSON.stringify(name)} to make: its name must consist of letters, digits and _, and not begin with a digit`,
        );
      return `${name}=${literal(textOf(variables[name] ?? null))}`;
    });
}

const literal = (text: string) => text.replaceAll("$", "$$$$").replace(/^(?=\s)/, "$$()");

const textOf = (value: JsonValue) => (typeof value === "string" ? value : JSON.stringify(value));
