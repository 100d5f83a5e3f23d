import { TimedOutError } from "../process/command.ts";
import { PrepareError } from "../task/errors.ts";
import type { RemoteUrl } from "./remote-url.ts";
import { GitError } from "./run.ts";

/** Why a fetch failed, recognized by git's messages (LC_ALL=C); WORDS has the most specific patterns first. */
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

/** Messages of git about a repository on this machine with missing or corrupt files. */
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
  if (error instanceof TimedOutError) return "silent";
  if (!(error instanceof GitError)) return undefined;
  return WORDS.find(([, words]) => words.test(error.said))?.[0];
}

/** Whether git failed because the repository it works in has missing or corrupt files. */
export function isDamage(error: unknown): error is GitError {
  if (!(error instanceof GitError)) return false;
  // Lines that begin with "remote:" are about the remote repository.
  const own = error.said.split("\n").filter((line) => !line.startsWith("remote:"));
  return DAMAGE.test(own.join("\n"));
}

/** Whether git failed because the repository on this machine that it clones from has missing or corrupt files. */
export function isSourceDamage(error: unknown): error is GitError {
  return error instanceof GitError && (DAMAGE.test(error.said) || /repository corruption/.test(error.said));
}

/** Whether git failed because the remote uses another object format (SHA-1, SHA-256) than the repository on this machine. */
export function isOtherFormat(error: unknown): error is GitError {
  return error instanceof GitError && /mismatched algorithms/.test(error.said);
}

/** Whether an error of the network or the remote server is transient, so that a retry may succeed. */
export function isTransient(error: unknown): boolean {
  return troubleOf(error) === "away" && !isDamage(error);
}

/** Whether the remote did not answer in time. A retry would wait as long again. */
export function isTimeout(error: unknown): boolean {
  return troubleOf(error) === "silent";
}

/** Returns the last lines of git's error output that tell the reason, at most three. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof GitError)) return error instanceof Error ? error.message : String(error);
  const lines = error.said
    .split("\n")
    .filter((line) => !/^(Please make sure|and the repository exists)/.test(line));
  const telling = lines.filter((line) => /^(fatal|error|ssh|ERROR|remote):/.test(line) || /@.*:/.test(line));
  return (telling.length > 0 ? telling : lines).slice(-3).join("; ").trim();
}

/** Throws a PrepareError that explains a failed fetch to the task's owner. Rethrows errors that are not git's. */
export function explainFetch(remote: RemoteUrl, error: unknown): never {
  if (!(error instanceof GitError) && !(error instanceof TimedOutError)) throw error;
  const sentence = `Cannot fetch ${remote.shown}: ${reasonOf(remote, error)}`;
  throw new PrepareError(sentence, { cause: error });
}

function reasonOf({ scheme, host }: RemoteUrl, error: Error): string {
  switch (troubleOf(error)) {
    case "no_default":
      return "it has no commit, or its default branch does not exist; name a branch";
    case "host_changed":
      return `the host key of ${host} differs from the known one: either the connection is intercepted, or the host has a new key. If the host has a new key, remove the old one from the file of known hosts`;
    case "host_unknown":
      return `the host key of ${host} is not known. Add it to the file of known hosts, or accept keys of new hosts (--ssh-host-keys accept-new)`;
    case "refused":
      return scheme === "ssh"
        ? `${host} refused the access key, or the repository names none (${wordsOf(error)})`
        : `${host} requires a login and password, and refused those of the access key, or the repository names no access key (${wordsOf(error)})`;
    case "no_repository":
      return `there is no such repository, or the access key may not read it (${wordsOf(error)})`;
    case "silent":
      return `${host} did not answer in time (${wordsOf(error)})`;
    default:
      return wordsOf(error);
  }
}
