import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Owner } from "../../../files/owned.ts";
import { readRegular } from "../../../files/regular-file.ts";

interface LostStateInput {
  template: { app: string };
  terraform: { backend: unknown };
}

/**
 * Warns in the task's log if neither the configuration nor the template names a backend: the state is then a file in the
 * workspace, which is removed with the task. (Not for Terragrunt, which may write a backend later.)
 */
export async function warnOfLostState(
  {
    input,
    folder,
    say,
  }: { input: LostStateInput; folder: { owner: Owner | undefined }; say(text: string): void },
  cwd: string,
): Promise<void> {
  if (input.terraform.backend || input.template.app === "terragrunt") return;
  const names = (await readdir(cwd)).filter((name) => /\.(tf|tofu)(\.json)?$/.test(name));
  if (names.some((name) => /\b(backend|cloud)\b/.test(configurationAt(join(cwd, name), folder.owner))))
    return;
  say(
    "The configuration names no backend, so its state will be removed with the workspace. Name a backend in the configuration or in the template",
  );
}

/** Reads a configuration file; empty if it cannot be read, which Terraform reports itself. */
function configurationAt(path: string, owner: Owner | undefined): string {
  try {
    return String(readRegular(path, { maxBytes: MAX_CONFIGURATION, links: "followed", owner }) ?? "");
  } catch {
    return "";
  }
}

const MAX_CONFIGURATION = 16 * 1024 * 1024;
