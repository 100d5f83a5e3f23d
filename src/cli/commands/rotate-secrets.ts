import type { Command } from "commander";

/** As `serve`, it works on the database itself, and is loaded only when it is asked for. */
export function addRotateSecrets(program: Command): void {
  program
    .command("rotate-secrets")
    .description("encrypt all stored secrets under the first key of SIGNALMAN_SECRET_KEY or secret.key")
    .addHelpText(
      "after",
      `
It takes the settings of serve from the environment. To change the key: put a new one before the old one, joined by a
comma (in secret.key: on a line of its own), restart every server, run this, and then take the old one away.
With the embedded PostgreSQL the server must be stopped meanwhile.`,
    )
    .option(
      "--lost-key",
      "the earlier key is lost: servers may start with the first one; enter again what is named",
    )
    .action(async (options: { lostKey?: boolean }) => {
      const { runRotation } = await import("../server/rotate-secrets.ts");
      process.exitCode = await runRotation(process.env, options);
    });
}
