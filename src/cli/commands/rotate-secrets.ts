import type { Command } from "commander";

/** Works on the database itself, like `serve`, so the server's code is loaded only when this command runs. */
export function addRotateSecrets(program: Command): void {
  program
    .command("rotate-secrets")
    .description("encrypt all stored secrets under the first key of SIGNALMAN_SECRET_KEY or secret.key")
    .addHelpText(
      "after",
      `
The settings are those of serve, from the environment. To change the key: put the new key before the old one, separated by
a comma (in secret.key: on a line of its own), restart every server, run this command, and then remove the old key.
With the embedded PostgreSQL, stop the server before you run this command.`,
    )
    .option(
      "--lost-key",
      "the earlier key is lost: let servers start with the first key; secrets that this command names must be entered again",
    )
    .action(async (options: { lostKey?: boolean }) => {
      const { runRotation } = await import("../server/rotate-secrets.ts");
      process.exitCode = await runRotation(process.env, options);
    });
}
