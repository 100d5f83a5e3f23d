import { jsonEvent } from "../terminal/json.ts";
import { print, say } from "../terminal/output.ts";
import type { View } from "./view.ts";

/** Prints one JSON object for each event. */
export function createJsonView(): View {
  return {
    event: (event, result) => print(jsonEvent(event, result)),
    note: say,
    async [Symbol.asyncDispose]() {},
  };
}
