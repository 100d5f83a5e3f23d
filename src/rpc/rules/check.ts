import type { FieldViolation } from "../../task/errors.ts";
import type { Validator } from "../interceptors/validate.ts";
import { encodingBreaches } from "./encodable.ts";
import { countsIn } from "./mask.ts";
import { pathText } from "./path.ts";
import { RULES } from "./table.ts";
import { plainOf } from "./to-plain.ts";

/** Secret fields: no violation ever shows what stands in them. */
const HIDDEN = new Set(["secret_variables", "secret_env", "private_key", "passphrase", "password", "text"]);

/** Every rule of the contract that a request breaks, in the order of its fields. Messages without rules pass. */
export const violationsOf: Validator = (desc, message) => {
  const schema = RULES[desc.typeName];
  if (schema === undefined) return [];
  const plain = plainOf(desc, message);
  const counts = countsIn(desc, message, plain);
  const issues = (schema.safeParse(plain).error?.issues ?? []).filter(({ path }) => counts(path));
  const broken: FieldViolation[] = issues.map((issue) => ({
    field: pathText(desc, issue.path),
    description: issue.message,
  }));
  const named = new Set(broken.map(({ field }) => field));
  const unfit = encodingBreaches(plain, HIDDEN)
    .map(({ path, got }) => ({ field: pathText(desc, path), description: `cannot be stored; got ${got}` }))
    .filter(({ field }) => !named.has(field));
  return [...broken, ...unfit];
};
