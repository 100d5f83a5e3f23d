import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { SurveyType, type SurveyVariable } from "../../../gen/signalman/v1/template_pb.ts";
import { isTextQuestion } from "../../submission/answers.ts";
import { printable } from "../terminal/printable.ts";
import type { Prompt } from "../terminal/prompt.ts";

export interface Answers {
  variables: JsonObject;
  secrets: Record<string, string>;
}

/** Names of the questions whose answers stay text, even if they look like numbers. */
export function textQuestions(survey: readonly SurveyVariable[]): ReadonlySet<string> {
  return new Set(survey.filter(isTextQuestion).map(({ name }) => name));
}

/**
 * Asks one question after the other and adds the answers to those given. Asks again if the survey does not accept an answer.
 * An empty line sends nothing, so that the service takes the default.
 */
export async function askSurvey(
  survey: readonly SurveyVariable[],
  given: Answers,
  { prompt, say }: { prompt: Prompt; say(text: string): void },
): Promise<Answers> {
  const answers: Answers = { variables: { ...given.variables }, secrets: { ...given.secrets } };
  for (const question of survey) {
    for (const line of introduction(question)) say(line);
    const answer = await askUntilRight(question, prompt, say);
    if (answer === undefined) continue;
    if (question.type === SurveyType.SECRET) answers.secrets[question.name] = String(answer);
    else answers.variables[question.name] = answer;
  }
  return answers;
}

function introduction({ description, type, values }: SurveyVariable): string[] {
  const choices = type === SurveyType.ENUM ? values : [];
  return [
    ...(description ? [printable(description)] : []),
    ...choices.map(({ name, value }, at) => {
      const label = name === "" || name === value ? "" : ` (${printable(name)})`;
      return `${at + 1}) ${printable(value)}${label}`;
    }),
  ];
}

const HINTS: Partial<Record<SurveyType, string>> = {
  [SurveyType.INT]: "a whole number",
  [SurveyType.ENUM]: "a number or a value",
  [SurveyType.SECRET]: "a secret, not shown",
};

/** Text of a prompt: `What to say (text, required) [hello]: `. */
function questionText({ name, title, type, required, default: text }: SurveyVariable): string {
  const hints = [HINTS[type] ?? "text", ...(required && text === "" ? ["required"] : [])];
  const preset = text === "" ? "" : ` [${printable(text)}]`;
  return `${printable(title || name)} (${hints.join(", ")})${preset}: `;
}

async function askUntilRight(
  question: SurveyVariable,
  prompt: Prompt,
  say: (text: string) => void,
): Promise<JsonValue | undefined> {
  const isSecret = question.type === SurveyType.SECRET;
  for (;;) {
    const text = await prompt.ask(questionText(question), { isSecret });
    if (text === "") {
      if (!question.required || question.default !== "") return undefined;
      say("an answer is required");
      continue;
    }
    const { value, problem } = parseAnswer(question, text);
    if (problem === undefined) return value;
    say(problem);
  }
}

function parseAnswer(
  { type, values }: SurveyVariable,
  text: string,
): { value?: JsonValue; problem?: string } {
  if (type === SurveyType.INT) {
    const trimmed = text.trim();
    if (!/^-?\d+$/.test(trimmed)) return { problem: `it must be a whole number, not ${printable(text)}` };
    return { value: Number.isSafeInteger(Number(trimmed)) ? Number(trimmed) : trimmed };
  }
  if (type === SurveyType.ENUM) {
    const trimmed = text.trim();
    const chosen = values.find(({ value }) => value === trimmed) ?? numbered(values, trimmed);
    const all = values.map(({ value }) => printable(value)).join(", ");
    return chosen ? { value: chosen.value } : { problem: `it must be one of ${all}, or its number` };
  }
  return { value: text };
}

function numbered<T>(values: readonly T[], text: string): T | undefined {
  return /^\d+$/.test(text) ? values[Number(text) - 1] : undefined;
}
