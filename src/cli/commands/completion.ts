import { Argument, type Command } from "commander";
import { write } from "../terminal/output.ts";

/**
 * `completion` prints a script for a shell. At a Tab the script calls the hidden command `__complete` with the words typed
 * so far and offers what it prints, so that completions always match the installed program.
 */
export function addCompletion(program: Command): void {
  program
    .command("completion")
    .description(
      "print a script that completes commands, options and names: source <(signalman completion bash)",
    )
    .addArgument(new Argument("<shell>", "shell that the script is for").choices(["bash", "zsh", "fish"]))
    .action(async (shell: string) => {
      const { scriptFor } = await import("../completion/scripts.ts");
      await write(process.stdout, scriptFor(shell));
    });
  program
    .command("__complete", { hidden: true })
    .helpOption(false)
    .argument("[words...]")
    .option("--patience <ms>", "milliseconds to wait for the server", Number)
    .action(async (words: string[], { patience }: { patience?: number }) => {
      const { candidates } = await import("../completion/candidates.ts");
      for (const { text, hint } of await candidates(program, words, patience))
        await write(process.stdout, hint ? `${text}\t${hint}\n` : `${text}\n`);
    });
}
