import { spawnSync } from "node:child_process";
import type { TaskUser } from "./task-user.ts";

/**
 * Looks a user up by name or number, with its groups. Uses id(1), which asks the same sources as a login does (files, LDAP, SSSD).
 * undefined: this machine has no such user.
 */
export function findUser(name: string): TaskUser | undefined {
  const [uid, gid, groups] = ["-u", "-g", "-G"].map((what) => id(what, name)?.split(" ").map(Number));
  const found = id("-un", name);
  if (!uid?.[0] && uid?.[0] !== 0) return undefined;
  if (gid?.[0] === undefined || !groups || !found) return undefined;
  return { name: found, uid: uid[0], gid: gid[0], groups };
}

function id(what: string, name: string): string | undefined {
  const { status, stdout } = spawnSync("id", [what, "--", name], { encoding: "utf8", timeout: 30_000 });
  return status === 0 ? stdout.trim() : undefined;
}
