import { constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/*
 * Root's tasks are not isolated. Tests of the isolation that run as root start their programs and servers as the user `nobody`,
 * which must be able to enter the checkout. If only root may enter a folder above it, the command runs in a mount namespace in
 * which that folder holds the checkout alone.
 */

export const isRoot = process.geteuid?.() === 0;
/** Id of a user, and of a group, whom every machine has. */
export const NOBODY = 65_534;

/** The checkout. */
export const PROJECT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
/** Words that, put before a command of root, run it as nobody. */
export const SWITCH = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--"];

/** Arguments: the checkout, the closed folder, the command. */
const OPEN = `
hold=$(mktemp -d /var/lib/signalman-checkout-XXXXXX)
mount --bind "$1" "$hold"
mount -t tmpfs -o mode=755 signalman-test "$2"
mkdir -p "$1"
mount --move "$hold" "$1"
rmdir "$hold"
cd "$PWD"
shift 2
exec "$@"
`;

/** Returns the highest folder above the checkout that is closed to nobody; undefined: there is none. */
function closedFolder(path = PROJECT): string | undefined {
  if (path === "/") return undefined;
  return closedFolder(dirname(path)) ?? ((statSync(path).mode & constants.S_IXOTH) === 0 ? path : undefined);
}

/** Words that, put before a command, run it as nobody. Empty if the tests do not run as root. */
export const asNobody: readonly string[] = isRoot ? nobodyPrefix() : [];

function nobodyPrefix(): string[] {
  const closed = closedFolder();
  if (closed === undefined) return SWITCH;
  return ["unshare", "--mount", "--", "sh", "-ec", OPEN, "sh", PROJECT, closed, ...SWITCH];
}
