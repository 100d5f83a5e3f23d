import type { JsonObject } from "@bufbuild/protobuf";
import type { Template } from "../../../gen/signalman/v1/template_pb.ts";
import type { FieldViolation } from "../../task/errors.ts";
import type { Asked } from "../family.ts";
import { isVariableName } from "./arguments.ts";

/** Settings of a call of make. */
export interface MakeSettings {
  /** Targets to make; empty: the makefile's default goal. */
  targets: readonly string[];
}

export function makeSettings({ settings }: Template): MakeSettings {
  return { targets: settings.case === "make" ? settings.value.targets : [] };
}

/** Variables that change what make runs regardless of the makefile. */
const SETS_UP_MAKE = /^(MAKE.*|GNUMAKEFLAGS|MFLAGS|SHELL|VPATH)$/;

/** Refuses arguments and variables by which a caller could make more than the makefile's targets run. */
export function checkMakeAsked(_: Template, asked: Asked): FieldViolation[] {
  const at = (field: string, name: string) => `${field}[${JSON.stringify(name)}]`;
  const names = (["variables", "secretVariables", "env"] as const).flatMap((kind) => {
    const field = kind === "secretVariables" ? "secret_variables" : kind;
    return Object.keys(asked[kind])
      .filter((name) => SETS_UP_MAKE.test(name))
      .map((name) => ({
        field: at(field, name),
        description: "configures make itself; only the environment and the template may set it",
      }));
  });
  const unfit = Object.keys(asked.variables)
    .filter((name) => !isVariableName(name))
    .map((name) => ({
      field: at("variables", name),
      description: "app make accepts only variable names of letters, digits and _, no digit first",
    }));
  const others = [...asked.arguments.entries()]
    .filter(([, text]) => !isTarget(text))
    .map(([index]) => ({
      field: `arguments[${index}]`,
      description: "must be the name of a target, without $ and =; put variables into `variables`",
    }));
  return [...names, ...unfit, ...others];
}

/** Whether an argument is neither an option nor an assignment, and holds nothing that make expands. */
const isTarget = (text: string) => text !== "" && !/^-|[=$]/.test(text);

export function checkMakeTemplate({ variables }: JsonObject): FieldViolation[] {
  return Object.keys((variables ?? {}) as JsonObject)
    .filter((name) => !isVariableName(name))
    .map((name) => ({
      field: `variables[${JSON.stringify(name)}]`,
      description: "app make accepts only variable names of letters, digits and _, no digit first",
    }));
}
