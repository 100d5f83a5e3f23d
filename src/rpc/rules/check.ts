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

/**
 * Checks requests against the contract before a method runs; the validation interceptor calls it for every request.
 *
 * `table.ts` has one zod schema for each request message. A schema consists of rules (`rule.ts`), each with the words of
 * the field's comment in the .proto file, so that an error quotes the contract. test/rpc/rules/comments.test.ts fails if
 * comments and rules differ. `to-plain.ts` turns a message into the plain object that schemas and `path.ts` read.
 * Values of secret fields never appear in an error. An update is judged only in the fields that its mask names (`mask.ts`).
 * The database's part is left to the methods: whether a template exists, what it allows, what its survey asks.
 *
 * Returns a violation for each broken rule, in the order of the fields, then one for each value that cannot be stored.
 * Messages without a schema have no violations.
 */
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

/** Returns the rule and the received value; a secret value is replaced by a placeholder. */
function described({ path, message, ...issue }: z.core.$ZodIssue): string {
  const { got, isName } = ("params" in issue ? (issue.params ?? {}) : {}) as Partial<Breach>;
  if (got === undefined) return message;
  return `${message}; got ${isSecretPlace(path) && !isName ? NOT_SHOWN : got}`;
}
