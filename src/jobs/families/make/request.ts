import type { Template } from "../../../../gen/signalman/v1/template_pb.ts";
import type { FieldViolation } from "../../../task/errors.ts";
import type { Asked } from "../family.ts";

/** Settings of a call of make. */
export interface MakeSettings {
  /** Targets to make; empty: the makefile's default goal. */
  targets: readonly string[];
}

export function makeSettings({ settings }: Template): MakeSettings {
  return { targets: settings.case === "make" ? settings.value.targets : [] };
}

/** Variables that change what make runs regardless of the makefile. */
const SETS_UP_MAKE = /^(MAKE.*|GNUMAKEFLAGS|MFLAGS|SHELL|VPATH|SUFFIXES|CURDIR)$/;

/** Variables from which make's built-in rules form their commands: programs, and the options of programs. */
const BUILT_IN_RULES = new Set(
  (
    "AR ARFLAGS AS ASFLAGS CC CFLAGS CO COFLAGS CPP CPPFLAGS CTANGLE CWEAVE CXX CXXFLAGS F77 FC FFLAGS GET GFLAGS LD LDFLAGS " +
    "LDLIBS LEX LFLAGS LINT LINTFLAGS LOADLIBES M2C MAKEINFO MODFLAGS OUTPUT_OPTION PC PFLAGS RFLAGS RM TANGLE TARGET_ARCH " +
    "TARGET_MACH TEX TEXI2DVI WEAVE YACC YFLAGS"
  ).split(" "),
);

/** Returns what a variable or environment variable of this name means to make itself; undefined: nothing. */
export function meaningToMake(name: string): string | undefined {
  if (SETS_UP_MAKE.test(name)) return "configures make itself";
  return BUILT_IN_RULES.has(name) ? "is a part of the commands of make's built-in rules" : undefined;
}

/** Refuses arguments by which a caller could make more than the makefile's targets run. */
export function checkMakeAsked(_: Template, asked: Asked): FieldViolation[] {
  return [...asked.arguments.entries()]
    .filter(([, text]) => !isTarget(text))
    .map(([index]) => ({
      field: `arguments[${index}]`,
      description: "must be the name of a target, without $ and =; put variables into `variables`",
    }));
}

/** Whether an argument is neither an option nor an assignment, and holds nothing that make expands. */
const isTarget = (text: string) => text !== "" && !/^-|[=$]/.test(text);
