import type { Template } from "../../../gen/signalman/v1/template_pb.ts";
import type { Apps } from "../apps/app.ts";
import { ansibleFamily } from "./ansible/family.ts";
import type { Family, Params, Site } from "./family.ts";
import { makeFamily } from "./make/family.ts";
import { shellFamily } from "./shell/family.ts";
import { terraformFamily } from "./terraform/family.ts";

/** Families by the name of their settings in the contract. A new family is a folder and a line here. */
const LIST = {
  shell: shellFamily,
  ansible: ansibleFamily,
  terraform: terraformFamily,
  make: makeFamily,
};

type Families = typeof LIST;
export type FamilyName = keyof Families;
type InputOf<F> = F extends { prepare(site: Site<infer Input>, signal: AbortSignal): unknown }
  ? Input
  : never;
type All<U> = (U extends unknown ? (one: U) => void : never) extends (all: infer I) => void ? I : never;

/** Task details that cover the inputs of all families; each family reads its own part. */
export type FamilyInput = All<InputOf<Families[FamilyName]>>;

export const FAMILIES: Readonly<Record<FamilyName, Family<FamilyInput>>> = LIST;

/** Built-in apps, which an operator does not have to declare. */
export const BUILT_IN: Apps = Object.assign({}, ...Object.values(LIST).map(({ apps }) => apps));

/** Returns the family of an app. Apps that an operator declares belong to the shell family: they run a script. */
export function familyNameOf(app: string): FamilyName {
  const names = Object.keys(LIST) as FamilyName[];
  return names.find((name) => Object.hasOwn(LIST[name].apps, app)) ?? "shell";
}

export const familyOf = (app: string): Family<FamilyInput> => FAMILIES[familyNameOf(app)];

/** Settings of each family, by its name. */
export type FamilySettings = {
  [N in FamilyName as Families[N] extends { settings: unknown } ? N : never]: Families[N] extends {
    settings(template: Template, params: Params): infer S;
  }
    ? S
    : never;
};

/** Returns the template's settings of every family, overridden by the task's params. */
export function settingsOf(template: Template, params: Params): FamilySettings {
  const all = Object.entries(FAMILIES).map(([name, family]) => [name, family.settings?.(template, params)]);
  return Object.fromEntries(all) as FamilySettings;
}
