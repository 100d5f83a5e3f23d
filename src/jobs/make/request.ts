import type { JsonObject } from "@bufbuild/protobuf";
import type { Template } from "../../../gen/signalman/v1/template_pb.ts";
import type { FieldViolation } from "../../task/errors.ts";
import type { Asked } from "../family.ts";
import { isVariableName } from "./arguments.ts";

/** How make is called. */
export interface MakeSettings {
  /** Empty: the makefile's default goal. */
  targets: readonly string[];
}

export function makeSettings({ settings }: Template): MakeSettings {
  return { targets: settings.case === "make" ? settings.value.targets : [] };
}

/** Variables that change what make runs, whatever the makefile says. */
const SETS_UP_MAKE = /^(MAKE.*|GNUMAKEFLAGS|MFLAGS|SHELL|VPATH)$/;

/** Options, variables among the arguments and some names would be ways to run something else than the makefile's targets. */
export function checkMakeAsked(_: Template, asked: Asked): FieldViolation[] {
  const at = (field: string, name: string) => `${field}[${JSON.stringify(name)}]`;
  const names = (["variables", "secretVariables", "env"] as const).flatMap((kind) => {
    const field = kind === "secretVariables" ? "secret_variables" : kind;
    return Object.keys(asked[kind])
      .filter((name) => SETS_UP_MAKE.test(name))
      .map((name) => ({
        field: at(field, name),
        description: "sets up make, which only environment and template may",
      }));
  });
  const unfit = Object.keys(asked.variables)
    .filter((name) => !isVariableName(name))
    .map((name) => ({
      field: at("variables", name),
      description: "make takes only names that match [A-Za-z_][A-Za-z0-9_]*",
    }));
  const others = [...asked.arguments.entries()]
    .filter(([, text]) => !isTarget(text))
    .map(([index]) => ({
      field: `arguments[${index}]`,
      description: "must be the name of a target; variables belong into variables",
    }));
  return [...names, ...unfit, ...others];
}

/** Neither an option nor a variable, and nothing that make expands. */
const isTarget = (text: string) => text !== "" && !/^-|[=$]/.test(text);

export function checkMakeTemplate({ variables }: JsonObject): FieldViolation[] {
  return Object.keys((variables ?? {}) as JsonObject)
    .filter((name) => !isVariableName(name))
    .map((name) => ({
      field: `variables[${JSON.stringify(name)}]`,
      description: "app make takes only names that match [A-Za-z_][A-Za-z0-9_]*",
    }));
}
