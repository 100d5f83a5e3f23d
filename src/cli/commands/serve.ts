import type { Command } from "commander";

/**
 * `serve` brings the whole server with it. So it is loaded only when it is asked for: this command hands on everything
 * behind its name to the one that knows the settings.
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
