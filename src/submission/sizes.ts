import type { JsonValue } from "@bufbuild/protobuf";
import type { RunTaskRequest } from "../../gen/signalman/v1/task_service_pb.ts";
import type { Template } from "../../gen/signalman/v1/template_pb.ts";
import { familyNameOf } from "../jobs/families.ts";
import type { FieldViolation } from "../task/errors.ts";
import { MAX_PROGRAM_BYTES, MAX_WORD_BYTES } from "../task/limits.ts";
import type { TemplateParts } from "./template.ts";

/** An argument or a variable of a program's environment, whole: `NAME=VALUE`. */
interface Word {
  /** Of RunTaskRequest. */
  field: string;
  /** What it is, for the reader of a violation of `template`. */
  what: string;
  bytes: number;
}

/** What a request cannot hand to its program: words that the system does not take, or more than it takes in all. */
export function tooLarge(
  { template, environment }: Pick<TemplateParts, "template" | "environment">,
  request: RunTaskRequest,
): FieldViolation[] {
  const words = wordsOf(template, environment, request);
  const single = words
    .filter(({ bytes }) => bytes > MAX_WORD_BYTES)
    .map(({ field, what, bytes }) => ({
      field,
      description: `${what} has ${bytes} bytes with its name; a program takes at most ${MAX_WORD_BYTES} in one argument or variable (Linux: 128 KiB): put it into a file`,
    }));
  const all = words.reduce((sum, { bytes }) => sum + bytes, 0);
  const [largest] = words.toSorted((a, b) => b.bytes - a.bytes);
  if (single.length > 0 || largest === undefined || all <= MAX_PROGRAM_BYTES) return single;
  const description = `arguments and environment of the program have ${all} bytes in all, of which ${largest.what} has ${largest.bytes}; at most ${MAX_PROGRAM_BYTES} (1.5 MiB) go to a program`;
  return [{ field: largest.field, description }];
}

/** All that goes by argument or environment; Ansible and Terraform get their variables in files. */
function wordsOf(
  template: Template,
  environment: TemplateParts["environment"],
  request: RunTaskRequest,
): Word[] {
  const isShell = familyNameOf(template.app) === "shell";
  const secrets = isShell ? request.secretVariables : {};
  const variables = isShell
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
  /** The request's field; or the resource in whose place the template is to blame. */
  field?: string;
  of?: string | undefined;
}

/** The values that count, of each name that of the last layer. */
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

/** Ansible's lists are one argument each. */
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
