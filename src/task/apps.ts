/** How an app is called, and what a caller may set for it. */
export type AppFamily = "shell" | "ansible" | "terraform";

const FAMILIES: Readonly<Record<string, AppFamily>> = {
  ansible: "ansible",
  terraform: "terraform",
  tofu: "terraform",
  terragrunt: "terraform",
};

/** By the name that templates use. Whatever has no family of its own is like a shell: a program that runs a script. */
export function familyOf(app: string): AppFamily {
  return Object.hasOwn(FAMILIES, app) ? (FAMILIES[app] ?? "shell") : "shell";
}

/** Milliseconds from the polite signal to SIGKILL, where nobody says otherwise: Terraform has a state to save. */
export function defaultGraceMs(app: string): number {
  return familyOf(app) === "terraform" ? 30_000 : 10_000;
}
