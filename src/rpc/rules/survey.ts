import { z } from "zod";
import { SurveyType, SurveyTypeSchema } from "../../../gen/signalman/v1/template_pb.ts";
import { IDENTIFIER_WORDS, isIdentifier } from "../../task/identifiers.ts";
import { known } from "./enums.ts";
import { type Breach, free, received, rule, ruleAt } from "./rule.ts";
import { required, textUpTo } from "./values.ts";

const surveyValue = z.object({ name: free(), value: required() });

const variable = z.object({
  name: rule(
    z.string(),
    "Required. Name of the variable that holds the answer; matches `[A-Za-z_][A-Za-z0-9_]*`",
    isIdentifier,
    IDENTIFIER_WORDS,
  ),
  title: free(),
  description: textUpTo(1000),
  type: known(SurveyTypeSchema, { unspecified: true }),
  required: free(),
  values: z.array(surveyValue),
  default: z.string(),
});
type Variable = z.output<typeof variable>;

const withValues = ruleAt(variable, "Required for an enum, else empty", ({ type, values }) => {
  const isRight = (type === SurveyType.ENUM) === values.length > 0;
  return isRight ? [] : [{ path: ["values"], got: received(values) }];
});

const withDefault = ruleAt(withValues, "must be a valid answer", (question) =>
  isAnswer(question) ? [] : [{ path: ["default"], got: received(question.default) }],
);

/** A default of a secret question is refused and not shown, since its author meant it as a secret. */
const question = ruleAt(withDefault, "Not for a secret", ({ type, default: answer }) =>
  type === SurveyType.SECRET && answer !== "" ? [{ path: ["default"], got: "one" }] : [],
);

export const survey = () => {
  const few = rule(z.array(question), "At most 100", (questions) => questions.length <= 100);
  return ruleAt(few, "each name once", repeated);
};

/** True for a default that is a valid answer. "" means no default. */
function isAnswer({ type, values, default: answer }: Variable): boolean {
  if (answer === "") return true;
  if (type === SurveyType.INT) return /^-?\d+$/.test(answer);
  if (type === SurveyType.ENUM) return values.some(({ value }) => value === answer);
  return true;
}

/** Returns a breach for each item whose name an earlier item has. */
export function repeated(items: readonly { name: string }[], keyOf = (name: string) => name): Breach[] {
  const seen = new Set<string>();
  return items.flatMap(({ name }, index) => {
    const key = keyOf(name);
    const isFirst = key === "" || !seen.has(key);
    seen.add(key);
    return isFirst ? [] : [{ path: [index, "name"], got: `${received(name)} again` }];
  });
}
