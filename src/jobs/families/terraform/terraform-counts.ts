import { JSONParser } from "@streamparser/json";
import { PrepareError } from "../../../task/errors.ts";

/** Numbers of resources that a plan adds, changes and destroys. */
export interface Counts {
  add: number;
  change: number;
  destroy: number;
}

/**
 * Counts the actions `resource_changes[*].change.actions` in the output of `show -json`. Parses it as a stream, since it may
 * not fit into memory: a state of a few thousand resources takes tens of megabytes.
 * @throws PrepareError if the output is incomplete or not JSON
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
    throw new PrepareError(
      "Cannot count the plan's changes: the output of Terraform's `show -json` is not JSON; run the template again",
      {
        cause,
      },
    );
  };
  for await (const chunk of json) parser.write(chunk);
  if (!parser.isEnded)
    throw new PrepareError(
      "Cannot count the plan's changes: the output of show -json is incomplete; run the template again",
    );
  return counts;
}
