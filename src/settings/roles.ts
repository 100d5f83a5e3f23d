/** What a server does: answer calls, run tasks, or both. */
export const ROLES = ["api", "runner"] as const;
export type Role = (typeof ROLES)[number];

/** @throws Error whose message completes "SIGNALMAN_X …". */
export function parseRoles(text: string): readonly Role[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => (ROLES as readonly string[]).includes(name)))
    return ROLES.filter((role) => names.includes(role));
  throw new Error(`must be ${ROLES.join(", ")} or both, joined by a comma, not ${text}`);
}
