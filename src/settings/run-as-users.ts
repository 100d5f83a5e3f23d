/** Assigns a user of the machine to the tasks of a project or template. */
export interface UserEntry {
  /** `default`, `projects/x` or `projects/x/templates/y`. */
  scope: string;
  /** Name or number of a user of this machine. */
  user: string;
}

const SCOPE = /^(default|projects\/[^/\s]+(\/templates\/[^/\s]+)?)$/;
const USER = /^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$/;

/**
 * Parses entries such as `default: runner, projects/web: web`. One of them is the default, so that no task of a project that is
 * made later runs as root.
 */
export function parseRunAsUsers(text: string): UserEntry[] {
  const entries = text
    .split(",")
    .filter((entry) => entry.trim() !== "")
    .map(parseEntry);
  const scopes = entries.map(({ scope }) => scope);
  const twice = scopes.find((scope, at) => scopes.indexOf(scope) !== at);
  if (twice !== undefined) throw new Error(`must name each scope once, but has two entries for ${twice}`);
  if (entries.length === 0 || scopes.includes("default")) return entries;
  throw new Error(
    "must have an entry such as default: runner, as whom tasks run that no other entry names, since they would run as root",
  );
}

function parseEntry(entry: string): UserEntry {
  const [scope = "", user = "", ...rest] = entry.split(":").map((word) => word.trim());
  if (SCOPE.test(scope) && USER.test(user) && rest.length === 0) return { scope, user };
  throw new Error(
    `must be entries such as default: runner, projects/x: web, projects/x/templates/y: other, joined by commas, not ${entry.trim()}`,
  );
}

/** Returns the user of a template: the entry of the template itself, else of its project, else the default. */
export function userFor(entries: readonly UserEntry[], template: string): string | undefined {
  const project = template.replace(/\/templates\/.*$/, "");
  const scopes = [template, project, "default"];
  return scopes.map((scope) => entries.find((entry) => entry.scope === scope)?.user).find(Boolean);
}
