/** A repository elsewhere, as git reaches it. */
export interface RemoteUrl {
  /** As it was written. */
  readonly text: string;
  /** The same for logs and messages: the user of an http(s) URL, who may be a token, is masked. */
  readonly shown: string;
  readonly scheme: "http" | "https" | "ssh";
  /** In small letters, with its port unless that is the scheme's own. */
  readonly host: string;
  /** Empty: none is named. */
  readonly user: string;
}

// Docker Compose names hosts with underscores.
const NAME = "[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?";
const HOST = `(?:${NAME}|\\[[0-9A-Fa-f:.]+\\])`;
const HOST_ALONE = new RegExp(`^${HOST}$`);
const USER = "[A-Za-z0-9_][A-Za-z0-9._+-]*";
/** Decoded, as it stands percent-encoded in a URL: also `jane@corp.example` and `CORP\jane`. */
const USER_OF_URL = /^[A-Za-z0-9_][A-Za-z0-9._+@\\$~-]*$/;
/**
 * As git reads it: `[user@]host:path`. Never `helper::address`, for which git starts a program, and never one that a
 * program could take for an option. Without a user the path is relative and holds no `@` before its first slash, so that no
 * mistyped URL passes for one, nor `user:password@host/path`.
 */
const SCP_LIKE = new RegExp(
  `^(?:(${USER})@(?=${HOST}:/?[^/:-])|(?=${HOST}:[^/:@-][^/@]*(?:/|$)))(${HOST}):\\S+$`,
);

/** Undefined: it is none, or holds a password, or something that git or ssh could take for more than a place. */
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

/** A text with the users of its http(s) URLs masked, and in all URLs a user with a password. */
export function maskUsers(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)([^/?#\s]*)@/gi, (all, scheme: string, user: string) =>
    /^https?:/i.test(scheme) || user.includes(":") ? `${scheme}***@` : all,
  );
}

/** Whether what opens the one may be shown to the other. */
export function isSamePlace(one: RemoteUrl, other: RemoteUrl): boolean {
  return one.scheme === other.scheme && one.host === other.host;
}

/**
 * Where a submodule is: `./` and `../` are relative to the repository that holds it, as `git submodule` reads them
 * (`../` takes the last part away); everything else is as it stands.
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
