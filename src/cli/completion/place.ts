import type { Argument, Command, Option } from "commander";

/** Options among the typed words that say how to reach the server. */
export interface ServerWords {
  server?: string;
  token?: string;
}

/** Kind of the word to complete. */
export type Place =
  | { kind: "nothing" }
  | { kind: "command"; command: Command; prefix: string }
  | { kind: "option"; command: Command; prefix: string }
  | {
      /** An argument, or the value of an option. */
      kind: "value";
      /** Its placeholder: `template` for `<template>`. */
      name: string;
      choices: readonly string[] | undefined;
      prefix: string;
      server: ServerWords;
    };

/** Parses the words before the last as the program would, and says what the last one is. */
export function placeOf(program: Command, words: readonly string[]): Place {
  const prefix = words.at(-1) ?? "";
  const server: ServerWords = {};
  let command = program;
  let open: Option | undefined;
  let position = 0;
  for (const word of words.slice(0, -1)) {
    if (open) {
      note(server, open, word);
      open = undefined;
    } else if (word.startsWith("-") && word !== "-") {
      const [flag = "", value] = word.split(/=(.*)/s);
      const option = optionOf(command, flag);
      if (option && value !== undefined) note(server, option, value);
      else if (option?.required) open = option;
    } else if (command.commands.length > 0) {
      const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
      if (!next) return { kind: "nothing" };
      command = next;
    } else position += 1;
  }
  if (open) return { kind: "value", name: placeholderOf(open), choices: open.argChoices, prefix, server };
  if (prefix.startsWith("-")) return { kind: "option", command, prefix };
  if (command.commands.length > 0) return { kind: "command", command, prefix };
  const argument = argumentAt(command, position);
  if (!argument) return { kind: "nothing" };
  return { kind: "value", name: argument.name(), choices: argument.argChoices, prefix, server };
}

function argumentAt({ registeredArguments }: Command, position: number): Argument | undefined {
  const last = registeredArguments.at(-1);
  return registeredArguments[position] ?? (last?.variadic ? last : undefined);
}

function optionOf(command: Command, flag: string): Option | undefined {
  const found = command.options.find((option) => [option.short, option.long].includes(flag));
  return found ?? (command.parent ? optionOf(command.parent, flag) : undefined);
}

/** Placeholder of an option: `template` for `--template <template>`. */
function placeholderOf({ flags }: Option): string {
  return /[<[]([^>\].]+)/.exec(flags)?.[1] ?? "";
}

function note(words: ServerWords, option: Option, value: string): void {
  const name = option.attributeName();
  if (name === "server" || name === "token") words[name] = value;
}
