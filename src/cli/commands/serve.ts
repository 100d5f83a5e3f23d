import type { Command } from "commander";

/**
 * Loads the server's code only when `serve` runs, since it is large: this command passes all its arguments on to
 * server/serve.ts, which knows the settings.
 */
export function addServe(program: Command): void {
  program
    .command("serve")
    .description("run the server; serve --help lists its settings")
    .usage("[options]")
    .helpOption(false)
    .allowUnknownOption()
    .argument("[options...]")
    .action(async (_options, _own, command: Command) => {
      const { runServe } = await import("../server/serve.ts");
      await runServe(program, command.args);
    });
}
