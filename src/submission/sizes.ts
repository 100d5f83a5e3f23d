import type { JsonValue } from "@bufbuild/protobuf";
import type { RunTaskRequest } from "../../gen/signalman/v1/task_service_pb.ts";
import type { Template } from "../../gen/signalman/v1/template_pb.ts";
import { familyOf } from "../jobs/families/all.ts";
import type { FieldViolation } from "../task/errors.ts";
import { MAX_PROGRAM_BYTES, MAX_PROGRAM_WORDS, MAX_WORD_BYTES } from "../task/limits.ts";
import type { TemplateParts } from "./template.ts";

/** An argument or an environment variable of a program, as the system counts it: `NAME=VALUE`. */
interface Word {
  /** Field of RunTaskRequest that is to blame. */
  field: string;
  /** Name of the word in the description of a violation. */
  what: string;
  bytes: number;
}

/** Returns a violation for each argument or variable that is too large for the system, or one if all together are. */
export function tooLarge(
  { template, environment }: Pick<TemplateParts, "template" | "environment">,
  request: RunTaskRequest,
): FieldViolation[] {
  const words = wordsOf(template, environment, request);
  const single = words
    .filter(({ bytes }) => bytes > MAX_WORD_BYTES)
    .map(({ field, what, bytes }) => ({
      field,
      description: `${what} has ${bytes} bytes with its name; one argument or variable of a program has at most ${MAX_WORD_BYTES} (Linux: 128 KiB): put it into a file`,
    }));
  const last = words.at(-1);
  if (last && words.length > MAX_PROGRAM_WORDS) {
    const description = `the program has ${words.length} arguments and variables; at most ${MAX_PROGRAM_WORDS} are allowed`;
    return [...single, { field: last.field, description }];
  }
  const all = words.reduce((sum, { bytes }) => sum + bytes, 0);
  const [largest] = words.toSorted((a, b) => b.bytes - a.bytes);
  if (single.length > 0 || largest === undefined || all <= MAX_PROGRAM_BYTES) return single;
  const description = `arguments and environment of the program have ${all} bytes together, of which ${largest.what} has ${largest.bytes}; at most ${MAX_PROGRAM_BYTES} (1.5 MiB) are allowed: put large values into files`;
  return [{ field: largest.field, description }];
}

/**
 * Returns all arguments and environment variables of the program. Ansible and Terraform get their variables in files.
 */
function wordsOf(
  template: Template,
  environment: TemplateParts["environment"],
  request: RunTaskRequest,
): Word[] {
  const takesWords = familyOf(template.app).variablesAsWords === true;
  const secrets = takesWords ? request.secretVariables : {};
  const variables = takesWords
    ? merged([
        { of: environment?.name, values: environment?.variables },
        { of: template.name, values: template.variables },
        { field: "variables", values: without(request.variables ?? {}, secrets) },
      ])
    : [];
  const env = merged([
    { of: environment?.name, values: environment?.env },
    { of: template.name, values: template.env },
    { field: "env", values: request.env },
    { field: "secret_variables", values: secrets },
  ]);
  return [
    ...template.arguments.map((text, at) => word("template", `argument ${at + 1} of ${template.name}`, text)),
    ...request.arguments.map((text, at) => word(`arguments[${at}]`, `arguments[${at}]`, text)),
    ...variables,
    ...env,
    ...lists(request),
  ];
}

interface Layer {
  values: Readonly<Record<string, JsonValue>> | undefined;
  /** Field of the request; absent: the values come from a resource, and the field `template` is to blame. */
  field?: string;
  /** Full name of that resource. */
  of?: string | undefined;
}

/** Returns the merged values by name; a later layer overrides an earlier one. */
function merged(layers: readonly Layer[]): Word[] {
  const found = new Map<string, Word>();
  for (const { values = {}, field, of } of layers) {
    for (const [name, value] of Object.entries(values)) {
      const text = `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`;
      const place = `${field}[${JSON.stringify(name)}]`;
      found.set(name, field ? word(place, place, text) : word("template", `${name} of ${of}`, text));
    }
  }
  return [...found.values()];
}

/** Returns the arguments that hold Ansible's lists; each list is one argument. */
function lists({ params }: RunTaskRequest): Word[] {
  if (params.case !== "ansible") return [];
  const { limit, tags, skipTags } = params.value;
  return Object.entries({ limit, tags, skip_tags: skipTags }).map(([name, list]) =>
    word(`ansible.${name}`, `ansible.${name}`, `--${name}=${list.join(",")}`),
  );
}

const word = (field: string, what: string, text: string): Word => ({
  field,
  what,
  bytes: Buffer.byteLength(text),
});

function without<T>(values: Readonly<Record<string, T>>, names: object): Record<string, T> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => !Object.hasOwn(names, name)));
}
