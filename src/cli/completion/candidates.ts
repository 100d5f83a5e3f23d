import type { Command, Option } from "commander";
import { printable } from "../terminal/printable.ts";
import type { Candidate } from "./candidate.ts";
import { namesFor } from "./names.ts";
import { type Place, placeOf } from "./place.ts";

/** Longest wait for the server after a Tab. */
const PATIENCE_MS = 800;

/** Tells the completion script that the shell is to complete names of files. */
const FILES: Candidate = { text: ":files" };

/**
 * Returns the completions of the last word: commands, options, the choices of an option or argument, or names from the
 * server, by the placeholder of the option or argument. Never rejects; a server that is away or slow has no names.
 * `words`: words typed so far, without the program's name
 */
export async function candidates(
  program: Command,
  words: readonly string[],
  patienceMs = PATIENCE_MS,
): Promise<Candidate[]> {
  const place = placeOf(program, words);
  switch (place.kind) {
    case "nothing":
      return [];
    case "command":
      return matching(commandsOf(place.command), place.prefix);
    case "option":
      return matching(await optionsOf(place.command), place.prefix);
    case "value":
      if (place.name === "file") return [FILES];
      return matching(await valuesOf(place, patienceMs), place.prefix);
  }
}

async function valuesOf(
  { name, choices, prefix, server }: Place & { kind: "value" },
  patienceMs: number,
): Promise<Candidate[]> {
  if (choices) return choices.map((text) => ({ text }));
  return namesFor(name, prefix, server, patienceMs).catch(() => []);
}

function matching(all: readonly Candidate[], prefix: string): Candidate[] {
  return all
    .filter(({ text }) => text.startsWith(prefix))
    .map(({ text, hint }) => ({ text, hint: hint && printable(hint) }));
}

function commandsOf(command: Command): Candidate[] {
  const commands = command.createHelp().visibleCommands(command);
  return commands.map((one) => ({ text: one.name(), hint: one.description() }));
}

async function optionsOf(command: Command): Promise<Candidate[]> {
  if (command.name() === "serve") return serveOptions();
  const help = command.createHelp();
  help.showGlobalOptions = true;
  const options: readonly Option[] = [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)];
  return options.flatMap(({ long, description }) => (long ? [{ text: long, hint: description }] : []));
}

/** Flags of `serve`, from the table of settings, which other commands do not load. */
async function serveOptions(): Promise<Candidate[]> {
  const { SETTINGS } = await import("../../config.ts");
  const settings: { flag?: string; description: string }[] = Object.values(SETTINGS);
  return settings.flatMap(({ flag, description }) =>
    flag ? [{ text: `--${flag}`, hint: description }] : [],
  );
}
