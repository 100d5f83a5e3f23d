import { PrepareError } from "../../task/errors.ts";

/** How many resources a plan adds, changes and destroys. */
export interface Counts {
  add: number;
  change: number;
  destroy: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** `[` and `]`; the braces are 0x20 above them. */
const OPENING = 0x5b;
const CLOSING = 0x5d;
/** Names that are looked for are shorter. */
const MAX_NAME = 32;

/**
 * Counts what `show -json` says of a plan: the actions of its `resource_changes[*].change.actions`. Reads as it comes, since
 * such a text can be too long for the memory: a state of some thousand resources makes tens of megabytes.
 * @throws PrepareError if it is not whole
 */
export async function countChanges(json: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Counts> {
  const counts: Counts = { add: 0, change: 0, destroy: 0 };
  /** Of the objects and lists that we are in, the names; then the last text at this depth, which may be the next name. */
  const names: string[] = [""];
  let text: number[] | undefined;
  let isEscaped = false;
  let isWhole = false;

  function take(byte: number): void {
    if (text) takeOfText(byte, text);
    else if (byte === QUOTE) text = [];
    else if ((byte & ~0x20) === OPENING) names.push("");
    else if ((byte & ~0x20) === CLOSING) isWhole = names.pop() !== undefined && names.length === 1;
  }

  function takeOfText(byte: number, soFar: number[]): void {
    if (isEscaped) isEscaped = false;
    else if (byte === BACKSLASH) isEscaped = true;
    else if (byte === QUOTE) endText(soFar);
    if (text && soFar.length < MAX_NAME) soFar.push(byte);
  }

  function endText(bytes: number[]): void {
    const value = String.fromCharCode(...bytes);
    text = undefined;
    names[names.length - 1] = value;
    if (names.length !== 6 || names[1] !== "resource_changes") return;
    if (names[3] !== "change" || names[4] !== "actions") return;
    if (value === "create") counts.add++;
    if (value === "update") counts.change++;
    if (value === "delete") counts.destroy++;
  }

  for await (const chunk of json) for (const byte of chunk) take(byte);
  if (!isWhole) throw new PrepareError("Cannot read what is shown of the plan: it is cut off");
  return counts;
}
