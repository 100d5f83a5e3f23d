import type { FamilyName } from "../apps/app.ts";
import type { Family } from "../family.ts";
import { type ShellFamilyInput, shellFamily } from "./shell.ts";

/** What every family finds in a task's details; each looks at its own part. */
export type FamilyInput = ShellFamilyInput;

/** By the name that apps give theirs. */
export const FAMILIES: Readonly<Record<FamilyName, Family<FamilyInput>>> = { shell: shellFamily };
