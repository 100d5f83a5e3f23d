import { Code, ConnectError } from "@connectrpc/connect";
import { report } from "./report.ts";

/** Codes of errors that every further call would meet too. */
const GENERAL = new Set([Code.Unavailable, Code.Unauthenticated, Code.PermissionDenied, Code.Canceled]);

/**
 * Does the same for each of the names, once, and goes on after an error of the service, which it reports. Returns the exit
 * code: that of the last error, if there was one.
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
