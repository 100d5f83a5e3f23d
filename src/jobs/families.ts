import type { AppFamily } from "../task/apps.ts";
import { type AnsibleFamilyInput, ansibleFamily } from "./ansible/family.ts";
import type { Family } from "./family.ts";
import { type ShellFamilyInput, shellFamily } from "./shell/family.ts";
import { type TerraformFamilyInput, terraformFamily } from "./terraform/family.ts";

/** What every family finds in a task's details; each looks at its own part. */
export type FamilyInput = ShellFamilyInput & AnsibleFamilyInput & TerraformFamilyInput;

export const FAMILIES: Readonly<Record<AppFamily, Family<FamilyInput>>> = {
  shell: shellFamily,
  ansible: ansibleFamily,
  terraform: terraformFamily,
};
