/** How an app is called, and what a caller may set for it. */
export type AppFamily = "shell" | "ansible" | "terraform";

const FAMILIES: Readonly<Record<string, AppFamily>> = {
  ansible: "ansible",
  terraform: "terraform",
  tofu: "terraform",
  terragrunt: "terraform",
};

/** Returns the family of an app by its name in templates. Apps without a family of their own are shell-like. */
export function familyOf(app: string): AppFamily {
  return Object.hasOwn(FAMILIES, app) ? (FAMILIES[app] ?? "shell") : "shell";
}

/** Default grace period in milliseconds, from SIGTERM (SIGINT for Terraform, which saves its state) to SIGKILL. */
export function defaultGraceMs(app: string): number {
  return familyOf(app) === "terraform" ? 30_000 : 10_000;
}
