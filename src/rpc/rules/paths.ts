import { isAbsolute, normalize } from "node:path/posix";
import { parseRemote } from "../../git/remote-url.ts";
import { received } from "./rule.ts";

/** True for a path that stays inside the folder to which it is relative. */
export function isInside(path: string): boolean {
  if (path === "" || path.includes("\0") || isAbsolute(path)) return false;
  const inner = normalize(path);
  return inner !== ".." && !inner.startsWith("../");
}

/** True for an absolute path or a `file://` URL. */
export function isFolderUrl(url: string): boolean {
  if (url.includes("\0")) return false;
  if (isAbsolute(url)) return true;
  if (!url.startsWith("file:///") || !URL.canParse(url)) return false;
  const { search, hash, pathname } = new URL(url);
  return search === "" && hash === "" && !/%2f|%00/i.test(pathname);
}

/** True for the URL of a remote git repository without a password and, for HTTP, without a user, which may be a token. */
export function isRemoteUrl(text: string): boolean {
  const remote = parseRemote(text);
  return remote !== undefined && (remote.scheme === "ssh" || remote.user === "");
}

/** Returns a refused URL for an error, without the parts that may be secret: login, password, query and fragment. */
export function receivedUrl(text: string): string {
  // The login is removed first, since a password may contain `?` or `#`.
  const plain = text.replace(/^([a-z][a-z0-9+.-]*:\/*)?.*(@|%40)/is, "$1***@").replace(/[?#].*$/s, "?…");
  return received(plain);
}
