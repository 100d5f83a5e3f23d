import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readRegular } from "../../files/regular-file.ts";

interface LostStateInput {
  template: { app: string };
  terraform: { backend: unknown };
}

/** Without a backend the state is a file in the workspace. (Terragrunt may write a backend later.) */
export async function warnOfLostState(
  { input, say }: { input: LostStateInput; say(text: string): void },
  cwd: string,
): Promise<void> {
  if (input.terraform.backend || input.template.app === "terragrunt") return;
  const names = (await readdir(cwd)).filter((name) => /\.(tf|tofu)(\.json)?$/.test(name));
  if (names.some((name) => /\b(backend|cloud)\b/.test(configurationAt(join(cwd, name))))) return;
  say(
    "The configuration names no backend: its state will be gone with the workspace. Name one there, or the template's",
  );
}

/** Whatever cannot be read is for Terraform to explain. */
function configurationAt(path: string): string {
  try {
    return String(readRegular(path, { maxBytes: MAX_CONFIGURATION, links: "followed" }) ?? "");
  } catch {
    return "";
  }
}

const MAX_CONFIGURATION = 16 * 1024 * 1024;
