import { type FieldViolation, invalid } from "../task/errors.ts";

const TERM = /^\s*([a-z_]+(?:\.[a-z0-9._/-]+)?)\s*(<=|>=|!=|=|<|>)\s*("(?:[^"\\]|\\.)*"|[^\s"]+)\s*/;
/** Maximum number of terms in a filter, to keep queries fast. PostgreSQL takes 65,534 parameters. */
const MOST_TERMS = 50;
const AND = /^AND(?:\s+|$)/;
/** Time as in RFC 3339, section 5.6. */
const TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

/**
 * Parses a filter, a subset of AIP-160: terms joined by AND. `termOf` makes a term of a field, an operator and a value.
 * @throws Failure invalid that quotes the wrong part.
 */
export function parseFilter<T>(filter: string, termOf: (field: string, op: string, value: string) => T): T[] {
  const terms: T[] = [];
  let rest = filter.trim();
  while (rest !== "") {
    const match = TERM.exec(rest);
    if (!match) throw refuseFilter(`expected FIELD OPERATOR VALUE at: ${rest.slice(0, 40)}`);
    const [whole, field = "", op = "", raw = ""] = match;
    if (terms.length === MOST_TERMS)
      throw refuseFilter(`has more than ${MOST_TERMS} terms, which is the limit`);
    terms.push(termOf(field, op, unquote(raw)));
    rest = rest.slice(whole.length);
    if (rest === "") break;
    const and = AND.exec(rest);
    if (!and) throw refuseFilter(`expected AND at: ${rest.slice(0, 40)}`);
    rest = rest.slice(and[0].length);
    if (rest === "") throw refuseFilter("ends with AND");
  }
  return terms;
}

/** Parses a time in RFC 3339. @throws Failure invalid if the text is not a time. */
export function parseTime(value: string): Date {
  const time = new Date(value);
  if (TIME.test(value) && !Number.isNaN(time.getTime())) return time;
  throw refuseFilter(`"${value}" is not a time; expected RFC 3339, such as 2026-01-31T12:00:00Z`);
}

export const isEquality = (op: string): op is "=" | "!=" => op === "=" || op === "!=";
export const isOrder = (op: string): op is "=" | "!=" | "<" | "<=" | ">" | ">=" =>
  ["=", "!=", "<", "<=", ">", ">="].includes(op);

function unquote(raw: string): string {
  return raw.startsWith('"') ? raw.slice(1, -1).replace(/\\(.)/g, "$1") : raw;
}

export function refuseFilter(description: string) {
  const violation: FieldViolation = { field: "filter", description };
  return invalid([violation]);
}
