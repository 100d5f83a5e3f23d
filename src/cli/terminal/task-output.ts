import { styleText } from "node:util";
import { type Command, Option } from "commander";
import { type Cleaning, createEscapeFilter, type EscapeFilter } from "../../logs/escapes.ts";

/** How the output of tasks is shown. */
export interface OutputOptions {
  plain?: true;
  raw?: true;
  timestamps?: true;
}

export function addOutputOptions(command: Command): Command {
  return command
    .addOption(new Option("--plain", "without colors and other escape codes").conflicts("raw"))
    .option("--raw", "every byte as the program wrote it, whatever it does to a terminal")
    .option("-t, --timestamps", "before each line, when the server read it");
}

const AS_IT_IS: EscapeFilter = { write: (data) => data, end: () => Buffer.alloc(0) };

/**
 * What a task wrote, made fit for a stream: on a terminal nothing but text and colors passes, since a title, the clipboard
 * or a moved cursor would let a task's output pretend; elsewhere all bytes but colors do. Colors stay out where Node says
 * so: NO_COLOR is set, or there is no terminal and no FORCE_COLOR.
 */
export function taskFilter(stream: NodeJS.WriteStream, { plain, raw }: OutputOptions): EscapeFilter {
  if (raw) return AS_IT_IS;
  const hasColors = styleText("red", "x", { stream }) !== "x";
  if (!plain && hasColors && !stream.isTTY) return AS_IT_IS;
  return createEscapeFilter(cleaningFor(stream.isTTY, plain ?? false, hasColors));
}

function cleaningFor(isTerminal: boolean, isPlain: boolean, hasColors: boolean): Cleaning {
  if (!isTerminal) return isPlain ? "plain" : "uncolored";
  return hasColors && !isPlain ? "colors" : "text";
}
