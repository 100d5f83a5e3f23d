import { isAbsolute, normalize } from "node:path/posix";
import { parseRemote } from "../../git/remote-url.ts";
import { received } from "./rule.ts";

/** A path that stays in the folder to which it is relative. */
export function isInside(path: string): boolean {
  if (path === "" || path.includes("\0") || isAbsolute(path)) return false;
  const inner = normalize(path);
  return inner !== ".." && !inner.startsWith("../");
}

/** A folder of the server, by absolute path or `file://` URL. */
export function isFolderUrl(url: string): boolean {
  if (url.includes("\0")) return false;
  if (isAbsolute(url)) return true;
  if (!url.startsWith("file:///") || !URL.canParse(url)) return false;
  const { search, hash, pathname } = new URL(url);
  return search === "" && hash === "" && !/%2f|%00/i.test(pathname);
}

/** A git repository elsewhere. Passwords belong into an access key, and so does the user of an HTTP URL, who may be a token. */
export function isRemoteUrl(text: string): boolean {
  const remote = parseRemote(text);
  return remote !== undefined && (remote.scheme === "ssh" || remote.user === "");
}

/** A URL that is refused, without what may be secret in it: login, password, query and fragment. */
export function receivedUrl(text: string): string {
  const plain = text.replace(/[?#].*$/s, "?…").replace(/^([a-z][a-z0-9+.-]*:\/*)?.*@/is, "$1***@");
  return received(plain);
}
