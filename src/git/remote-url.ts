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

const HOST = "[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?";
const USER = "[A-Za-z0-9_][A-Za-z0-9._+-]*";
const HOST_OR_ADDRESS = new RegExp(`^(?:${HOST}|\\[[0-9a-f:.]+\\])$`, "i");
/**
 * As git reads it: `[user@]host:path`. Never `helper::address`, for which git starts a program, and never one that a
 * program could take for an option. Without a user the path is relative, so that no mistyped URL passes for one.
 */
const SCP_LIKE = new RegExp(`^(?:(${USER})@(?=${HOST}:/?[^/:-])|(?=${HOST}:[^/:-]))(${HOST}):\\S+$`);

/** Undefined: it is none, or holds a password, or something that git or ssh could take for more than a place. */
export function parseRemote(text: string): RemoteUrl | undefined {
  if (/[\0-\x20\x7f]/.test(text)) return undefined;
  if (!text.includes("://")) {
    const [, user = "", host = ""] = SCP_LIKE.exec(text) ?? [];
    return host ? { text, shown: text, scheme: "ssh", host: host.toLowerCase(), user } : undefined;
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const scheme = url?.protocol.slice(0, -1);
  if (!url || (scheme !== "http" && scheme !== "https" && scheme !== "ssh")) return undefined;
  const isPlain = url.password === "" && url.search === "" && url.hash === "" && url.pathname.length > 1;
  const isUser = url.username === "" || new RegExp(`^${USER}$`).test(url.username);
  if (!isPlain || !isUser || !HOST_OR_ADDRESS.test(url.hostname)) return undefined;
  const port = url.port === "" || (scheme === "ssh" && url.port === "22") ? "" : `:${url.port}`;
  return {
    text,
    shown: maskUsers(text),
    scheme,
    host: `${url.hostname.toLowerCase()}${port}`,
    user: url.username,
  };
}

/** A text with the users (and passwords) of its http(s) URLs masked. */
export function maskUsers(text: string): string {
  return text.replace(/(https?:\/\/)[^/?#\s]*@/gi, "$1***@");
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
