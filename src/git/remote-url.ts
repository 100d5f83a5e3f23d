/** URL of a remote repository. */
export interface RemoteUrl {
  /** URL as it was written. */
  readonly text: string;
  /** URL for logs and messages: the user of an http(s) URL, which may be a token, is masked. */
  readonly shown: string;
  readonly scheme: "http" | "https" | "ssh";
  /** Host in lower case, with the port unless it is the scheme's default. */
  readonly host: string;
  /** User in the URL; empty: none. */
  readonly user: string;
}

// Underscores are accepted, since Docker Compose names hosts with them.
const NAME = "[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?";
const HOST = `(?:${NAME}|\\[[0-9A-Fa-f:.]+\\])`;
const HOST_ALONE = new RegExp(`^${HOST}$`);
const USER = "[A-Za-z0-9_][A-Za-z0-9._+-]*";
/** User of a URL after percent-decoding, such as `jane`, `jane@corp.example` or `CORP\jane`. */
const USER_OF_URL = /^[A-Za-z0-9_][A-Za-z0-9._+@\\$~-]*$/;
/**
 * Git's short form of an SSH URL: `[user@]host:path`. It matches neither `helper::address`, for which git starts a program, nor
 * a text that a program could read as an option. Without a user, the path must be relative and hold no `@` before its first
 * slash, so that mistyped URLs and `user:password@host/path` are refused.
 */
const SCP_LIKE = new RegExp(
  `^(?:(${USER})@(?=${HOST}:/?[^/:-])|(?=${HOST}:[^/:@-][^/@]*(?:/|$)))(${HOST}):\\S+$`,
);

/**
 * Parses a remote URL; undefined: it is not one, or it contains a password or a part that git or ssh could read as an option
 * or a command.
 */
export function parseRemote(text: string): RemoteUrl | undefined {
  if (/[\0-\x20\x7f]/.test(text)) return undefined;
  if (!text.includes("://")) {
    const [, user = "", host = ""] = SCP_LIKE.exec(text) ?? [];
    return host ? { text, shown: text, scheme: "ssh", host: host.toLowerCase(), user } : undefined;
  }
  // A backslash is a slash to WHATWG's URL and none to git: the two would see different hosts.
  const url = !text.includes("\\") && URL.canParse(text) ? new URL(text) : undefined;
  const scheme = url?.protocol.slice(0, -1);
  if (!url || (scheme !== "http" && scheme !== "https" && scheme !== "ssh")) return undefined;
  const isPlain = url.password === "" && url.search === "" && url.hash === "" && url.pathname.length > 1;
  const user = decoded(url.username);
  const isUser = user === "" || (user !== undefined && USER_OF_URL.test(user));
  if (!isPlain || !isUser || !HOST_ALONE.test(url.hostname)) return undefined;
  const port = url.port === "" || (scheme === "ssh" && url.port === "22") ? "" : `:${url.port}`;
  return {
    text,
    shown: maskUsers(text),
    scheme,
    host: `${url.hostname.toLowerCase()}${port}`,
    user,
  };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Masks the users of http(s) URLs in a text and, in URLs of any scheme, users with a password. */
export function maskUsers(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)([^/?#\s]*)@/gi, (all, scheme: string, user: string) =>
    /^https?:/i.test(scheme) || user.includes(":") ? `${scheme}***@` : all,
  );
}

/** Whether the credentials of one remote may be used for the other: both have the same scheme and host. */
export function isSamePlace(one: RemoteUrl, other: RemoteUrl): boolean {
  return one.scheme === other.scheme && one.host === other.host;
}

/**
 * Resolves a submodule's URL as `git submodule` does: `./` and `../` are relative to the URL of the parent repository, where
 * `../` removes its last part. Any other URL is returned unchanged.
 */
export function resolveSubmodule(url: string, parent: string): string {
  if (!/^\.\.?\//.test(url)) return url;
  let [base, rest, separator] = [parent.replace(/\/+$/, ""), url, "/"];
  for (;;) {
    if (rest.startsWith("./")) rest = rest.slice(2);
    else if (rest.startsWith("../")) {
      rest = rest.slice(3);
      const slash = base.lastIndexOf("/");
      const cut = slash >= 0 ? slash : base.lastIndexOf(":");
      separator = slash >= 0 ? "/" : ":";
      base = base.slice(0, Math.max(0, cut));
    } else return `${base}${separator}${rest}`.replace(/\/+$/, "");
  }
}
