import { TimedOut } from "../process/command.ts";
import { PrepareError } from "../task/errors.ts";
import type { RemoteUrl } from "./remote-url.ts";
import { GitFailed } from "./run.ts";

/** What kept git from fetching, told by its words (LC_ALL=C), the most certain ones first. */
type Trouble =
  | "no_default"
  | "host_changed"
  | "host_unknown"
  | "refused"
  | "no_repository"
  | "silent"
  | "away";

const WORDS: readonly [Trouble, RegExp][] = [
  ["no_default", /couldn't find remote ref HEAD/],
  ["host_changed", /REMOTE HOST IDENTIFICATION HAS CHANGED/],
  ["host_unknown", /Host key verification failed/],
  [
    "refused",
    /Permission denied|Authentication failed|could not read (Username|Password)|returned error: 40[13]\b|Too many authentication failures|Access denied/i,
  ],
  [
    "no_repository",
    /repository '.*' not found|does not appear to be a git repository|Repository not found|returned error: 404\b|not valid: is this a git repository|No such file or directory/i,
  ],
  ["silent", /timed? ?out|Timeout, server .* not responding/i],
  [
    "away",
    /Could not resolve host|Name or service not known|Temporary failure in name resolution|Connection (refused|reset|closed)|Failed to connect|Couldn't connect|Network is unreachable|No route to host|early EOF|unexpected disconnect|RPC failed|hung up unexpectedly|returned error: (429|5\d\d)\b|Recv failure|Send failure|Empty reply|SSL_ERROR_SYSCALL|kex_exchange_identification/i,
  ],
];

/** What git says of a repository on this disk of which something is missing or spoilt. */
const DAMAGE = new RegExp(
  [
    "not a git repository",
    "bad (tree |ref|object |config line|shallow line|signature)",
    "reference broken|broken ref|null OID|does not point to a valid object",
    "(object|pack|packfile|file) .* (is corrupt|is empty|is truncated|is too small|is far too short|does not match)",
    "inflate: |unknown object type|hash mismatch|garbage at end|invalid object",
    "unable to (read|parse|unpack) (sha1 file|tree|commit|object|header|[0-9a-f]{40})",
    "could not (read|parse) [0-9a-f]{40}|missing (blob|tree|commit)",
    "(unexpected|unterminated) line in .*packed-refs",
    "did not send all necessary objects",
  ].join("|"),
  "i",
);

function troubleOf(error: unknown): Trouble | undefined {
  if (error instanceof TimedOut) return "silent";
  if (!(error instanceof GitFailed)) return undefined;
  return WORDS.find(([, words]) => words.test(error.said))?.[0];
}

/** Of the repository on this disk in which git works something is missing or spoilt. */
export function isDamage(error: unknown): error is GitFailed {
  if (!(error instanceof GitFailed)) return false;
  // What the other side tells of its own repository begins so.
  const own = error.said.split("\n").filter((line) => !line.startsWith("remote:"));
  return DAMAGE.test(own.join("\n"));
}

/** The same of the repository on this disk from which git clones. */
export function isSourceDamage(error: unknown): error is GitFailed {
  return error instanceof GitFailed && (DAMAGE.test(error.said) || /repository corruption/.test(error.said));
}

/** The remote names its objects by another hash (SHA-1, SHA-256) than the repository on this disk. */
export function isOtherFormat(error: unknown): error is GitFailed {
  return error instanceof GitFailed && /mismatched algorithms/.test(error.said);
}

/** Another try may help: the network or the server had a bad moment. */
export function isPassing(error: unknown): boolean {
  return troubleOf(error) === "away" && !isDamage(error);
}

/** It took its time, and would take it again. */
export function isSilence(error: unknown): boolean {
  return troubleOf(error) === "silent";
}

/** Git's own last words, where they say it best. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof GitFailed)) return error instanceof Error ? error.message : String(error);
  const lines = error.said
    .split("\n")
    .filter((line) => !/^(Please make sure|and the repository exists)/.test(line));
  const telling = lines.filter((line) => /^(fatal|error|ssh|ERROR|remote):/.test(line) || /@.*:/.test(line));
  return (telling.length > 0 ? telling : lines).slice(-3).join("; ").trim();
}

/** A failed fetch, as the task's owner should read it. Other errors than git's are thrown on. */
export function explainFetch(remote: RemoteUrl, error: unknown): never {
  if (!(error instanceof GitFailed) && !(error instanceof TimedOut)) throw error;
  const sentence = `Cannot fetch ${remote.shown}: ${reasonOf(remote, error)}`;
  throw new PrepareError(sentence, { cause: error });
}

function reasonOf({ scheme, host }: RemoteUrl, error: Error): string {
  switch (troubleOf(error)) {
    case "no_default":
      return "it has no commit, or its default branch does not exist; name a branch";
    case "host_changed":
      return `the key of ${host} is not the one that is known. Either somebody is in between, or the host has a new key; then remove the old one from the file of known hosts`;
    case "host_unknown":
      return `the key of ${host} is not known. Add it to the file of known hosts, or let new hosts be learned (--ssh-host-keys accept-new)`;
    case "refused":
      return scheme === "ssh"
        ? `${host} refused the access key, or there is none (${wordsOf(error)})`
        : `${host} wants a login and password, and refused what the access key holds, or there is none (${wordsOf(error)})`;
    case "no_repository":
      return `there is no such repository, or the access key may not see it (${wordsOf(error)})`;
    case "silent":
      return `${host} did not answer in time (${wordsOf(error)})`;
    default:
      return wordsOf(error);
  }
}
