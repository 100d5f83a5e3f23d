import type { z } from "zod";
import type { FieldViolation } from "../../task/errors.ts";
import type { Validator } from "../interceptors/validate.ts";
import { isSecretPlace, NOT_SHOWN } from "../secret-places.ts";
import { encodingBreaches } from "./encodable.ts";
import { countsIn } from "./mask.ts";
import { pathText } from "./path.ts";
import type { Breach } from "./rule.ts";
import { RULES } from "./table.ts";
import { plainOf } from "./to-plain.ts";

/** Every rule of the contract that a request breaks, in the order of its fields. Messages without rules pass. */
export const violationsOf: Validator = (desc, message) => {
  const schema = RULES[desc.typeName];
  if (schema === undefined) return [];
  const plain = plainOf(desc, message);
  const counts = countsIn(desc, message, plain);
  const issues = (schema.safeParse(plain).error?.issues ?? []).filter(({ path }) => counts(path));
  const broken: FieldViolation[] = issues.map((issue) => ({
    field: pathText(desc, issue.path),
    description: described(issue),
  }));
  const named = new Set(broken.map(({ field }) => field));
  const unfit = encodingBreaches(plain)
    .map(({ path, got }) => ({ field: pathText(desc, path), description: `cannot be stored; got ${got}` }))
    .filter(({ field }) => !named.has(field));
  return [...broken, ...unfit];
};

/** The rule and what was received, unless that is a secret. */
function described({ path, message, ...issue }: z.core.$ZodIssue): string {
  const { got, isName } = ("params" in issue ? (issue.params ?? {}) : {}) as Partial<Breach>;
  if (got === undefined) return message;
  return `${message}; got ${isSecretPlace(path) && !isName ? NOT_SHOWN : got}`;
}
