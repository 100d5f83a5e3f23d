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
    .addOption(new Option("--plain", "remove colors and other escape codes").conflicts("raw"))
    .option("--raw", "pass every byte of the program through, even what controls the terminal")
    .option("-t, --timestamps", "begin each line with the time at which the server read it");
}

const AS_IT_IS: EscapeFilter = { write: (data) => data, end: () => Buffer.alloc(0) };

/**
 * Returns the filter for a task's output on a stream. A terminal gets text and colors alone, since output that sets the title
 * or clipboard, or moves the cursor, could deceive the person. Other streams get all bytes except colors. Colors pass where
 * Node allows them: NO_COLOR is not set, and the stream is a terminal or FORCE_COLOR is set.
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
