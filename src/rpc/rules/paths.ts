import { isAbsolute, normalize } from "node:path/posix";

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

const HOST = "[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?";
/** As git reads it: `[user@]host:path`; never one that a program could take for an option. */
const SCP_LIKE = new RegExp(
  `^([A-Za-z0-9_][A-Za-z0-9._-]*@)?${HOST}:(?!/?/)[^\\s-][^\\s]*$|^([A-Za-z0-9_][A-Za-z0-9._-]*@)${HOST}:/[^\\s]+$`,
);

/** A git repository elsewhere. Passwords belong into an access key. */
export function isRemoteUrl(text: string): boolean {
  if (/[\0-\x20\x7f]/.test(text)) return false;
  if (!text.includes("://")) return SCP_LIKE.test(text);
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, hostname, pathname } = new URL(text);
  const isKnown =
    /^(https?|ssh):$/.test(protocol) && new RegExp(`^(${HOST}|\\[[0-9a-f:.]+\\])$`, "i").test(hostname);
  return isKnown && password === "" && pathname.length > 1 && !decodeURIComponent(username).startsWith("-");
}
