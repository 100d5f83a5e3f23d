import type { AppFamily } from "../../task/apps.ts";
import type { Family } from "../family.ts";
import { type ShellFamilyInput, shellFamily } from "./shell.ts";
import { type TerraformFamilyInput, terraformFamily } from "./terraform.ts";

/** What every family finds in a task's details; each looks at its own part. */
export type FamilyInput = ShellFamilyInput & TerraformFamilyInput;

export const FAMILIES: Readonly<Partial<Record<AppFamily, Family<FamilyInput>>>> = {
  shell: shellFamily,
  terraform: terraformFamily,
};
