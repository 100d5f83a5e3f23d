import { Code, ConnectError } from "@connectrpc/connect";
import { report } from "./report.ts";

/** Codes of errors that every further call would get, too. */
const GENERAL = new Set([Code.Unavailable, Code.Unauthenticated, Code.Canceled]);

/**
 * Calls `act` once for each distinct name. Reports an error of the service and goes on with the next name. Returns the exit
 * code of the last error, 0 without one. @throws errors that every further call would get
 */
export async function forEachName(
  names: readonly string[],
  act: (name: string) => Promise<void>,
): Promise<number> {
  let code = 0;
  for (const name of new Set(names)) {
    try {
      await act(name);
    } catch (error) {
      if (!(error instanceof ConnectError) || GENERAL.has(error.code)) throw error;
      code = report(error);
    }
  }
  return code;
}
