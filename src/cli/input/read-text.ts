import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { UsageError } from "../errors.ts";
import { fileTrouble } from "./file-errors.ts";

/** Reads a UTF-8 file; `-` is stdin. @throws UsageError if it cannot be read or is not UTF-8 */
export async function readText(file: string): Promise<string> {
  try {
    const bytes = file === "-" ? await buffer(process.stdin) : await readFile(file);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UsageError(`cannot read ${file === "-" ? "stdin" : file}: ${fileTrouble(cause)}`, { cause });
  }
}
