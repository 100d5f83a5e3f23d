/** Roles of a server: `api` answers calls, `runner` runs tasks. */
export const ROLES = ["api", "runner"] as const;
export type Role = (typeof ROLES)[number];

/** Parses roles that are joined by commas. @throws Error whose message completes "SIGNALMAN_ROLES …". */
export function parseRoles(text: string): readonly Role[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => (ROLES as readonly string[]).includes(name)))
    return ROLES.filter((role) => names.includes(role));
  throw new Error(`must be ${ROLES.join(", ")} or both, joined by a comma, not ${text}`);
}
