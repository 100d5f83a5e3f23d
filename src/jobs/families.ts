import type { Template } from "../../gen/signalman/v1/template_pb.ts";
import { ansibleFamily } from "./ansible/family.ts";
import type { Apps } from "./app.ts";
import type { Family, Params, Site } from "./family.ts";
import { makeFamily } from "./make/family.ts";
import { shellFamily } from "./shell/family.ts";
import { terraformFamily } from "./terraform/family.ts";

/** Every family by the name that its settings have in the contract. A new one is a folder and a line here. */
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

/** What every family finds in a task's details; each looks at its own part. */
export type FamilyInput = All<InputOf<Families[FamilyName]>>;

export const FAMILIES: Readonly<Record<FamilyName, Family<FamilyInput>>> = LIST;

/** The apps that are there without being declared. */
export const BUILT_IN: Apps = Object.assign({}, ...Object.values(LIST).map(({ apps }) => apps));

/** Of an app by its name in templates. Apps that an operator declares are shell-like: programs that run a script. */
export function familyNameOf(app: string): FamilyName {
  const names = Object.keys(LIST) as FamilyName[];
  return names.find((name) => Object.hasOwn(LIST[name].apps, app)) ?? "shell";
}

export const familyOf = (app: string): Family<FamilyInput> => FAMILIES[familyNameOf(app)];

/** The settings of each family, by its name. */
export type FamilySettings = {
  [N in FamilyName as Families[N] extends { settings: unknown } ? N : never]: Families[N] extends {
    settings(template: Template, params: Params): infer S;
  }
    ? S
    : never;
};

/** The template's settings with what a task sets in their place. */
export function settingsOf(template: Template, params: Params): FamilySettings {
  const all = Object.entries(FAMILIES).map(([name, family]) => [name, family.settings?.(template, params)]);
  return Object.fromEntries(all) as FamilySettings;
}
