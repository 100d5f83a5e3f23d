import { JSONParser } from "@streamparser/json";
import { PrepareError } from "../../task/errors.ts";

/** How many resources a plan adds, changes and destroys. */
export interface Counts {
  add: number;
  change: number;
  destroy: number;
}

/**
 * Counts what `show -json` says of a plan: the actions of its `resource_changes[*].change.actions`. Reads as it comes, since
 * such a text can be too long for the memory: a state of some thousand resources makes tens of megabytes.
 * @throws PrepareError if it is not whole
 */
export async function countChanges(json: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Counts> {
  const counts: Counts = { add: 0, change: 0, destroy: 0 };
  const parser = new JSONParser({
    paths: ["$.resource_changes.*.change.actions.*"],
    keepStack: false,
  });
  parser.onValue = ({ value }) => {
    if (value === "create") counts.add++;
    if (value === "update") counts.change++;
    if (value === "delete") counts.destroy++;
  };
  parser.onError = (cause) => {
    throw new PrepareError("Cannot read what is shown of the plan: it is no JSON", { cause });
  };
  for await (const chunk of json) parser.write(chunk);
  if (!parser.isEnded) throw new PrepareError("Cannot read what is shown of the plan: it is cut off");
  return counts;
}
