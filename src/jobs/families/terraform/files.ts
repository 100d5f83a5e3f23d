import { realpathSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { type Owner, removeFile, writeNew } from "../../../files/owned.ts";
import type { AccessKeyInstaller } from "../../../keys/installer.ts";
import { backendOverride, type TerraformFiles, type TerraformInput } from "./terraform.ts";

const OVERRIDE = "signalman_backend_override.tf.json";

/** Writes `values` as JSON to a private file of this name and returns its path; writes nothing if there are no values. */
type Write = (name: string, values: JsonObject) => Promise<string[]>;

const writer =
  (keys: AccessKeyInstaller): Write =>
  async (name, values) =>
    Object.keys(values).length === 0 ? [] : [(await keys.file(name, JSON.stringify(values))).path];

/** Writes variables to private files, since every user of the machine can read arguments. */
export async function writeVariables({
  input,
  keys,
}: {
  input: TerraformInput;
  keys: AccessKeyInstaller;
}): Promise<Pick<TerraformFiles, "variables" | "answers">> {
  const { variables, secretVariables, callerVariables, template } = input;
  const defaults = template.survey.flatMap((question) => (question.default ? [question.name] : []));
  const asked = new Set([...defaults, ...callerVariables]);
  const write = writer(keys);
  const both = async (prefix: string, isAsked: boolean) => {
    const part = (values: JsonObject) =>
      Object.fromEntries(Object.entries(values).filter(([name]) => asked.has(name) === isAsked));
    return [
      ...(await write(`${prefix}variables.tfvars.json`, part(variables))),
      ...(await write(`${prefix}secrets.tfvars.json`, part(secretVariables))),
    ];
  };
  return { variables: await both("", false), answers: await both("asked-", true) };
}

/**
 * Writes the settings of the template's backend to a private file and returns its path; undefined: the template has none. Adds
 * an override file to `cwd` that selects the backend.
 */
export async function writeBackend(
  {
    input,
    keys,
    folder,
  }: { input: TerraformInput; keys: AccessKeyInstaller; folder: { owner: Owner | undefined } },
  cwd: string,
): Promise<string | undefined> {
  const { backend } = input.terraform;
  if (!backend) return undefined;
  const override = join(realpathSync(cwd), OVERRIDE);
  // Removed first, since the repository may contain a link of that name.
  removeFile(override);
  writeNew(override, JSON.stringify(backendOverride(backend.type)), folder.owner);
  return (await writer(keys)("backend.json", backend.config))[0];
}
