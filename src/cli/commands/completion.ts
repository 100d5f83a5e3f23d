import { Argument, type Command } from "commander";
import { write } from "../terminal/output.ts";

/**
 * `completion` prints a script for a shell; the script asks the hidden `__complete` what may stand in the place of the
 * last of the words so far. All that it knows is there, so that it fits the program that is installed.
 */
export function addCompletion(program: Command): void {
  program
    .command("completion")
    .description(
      "print a script that completes commands, options and names: source <(signalman completion bash)",
    )
    .addArgument(new Argument("<shell>", "for which shell").choices(["bash", "zsh", "fish"]))
    .action(async (shell: string) => {
      const { scriptFor } = await import("../completion/scripts.ts");
      await write(process.stdout, scriptFor(shell));
    });
  program
    .command("__complete", { hidden: true })
    .helpOption(false)
    .argument("[words...]")
    .option("--patience <ms>", "for the server's answer", Number)
    .action(async (words: string[], { patience }: { patience?: number }) => {
      const { candidates } = await import("../completion/candidates.ts");
      for (const { text, hint } of await candidates(program, words, patience))
        await write(process.stdout, hint ? `${text}\t${hint}\n` : `${text}\n`);
    });
}
