/*
 * Knows the accounts that call this server: turns the text of a token into a caller with its rights, and ends streams
 * whose token or right is gone.
 *
 * Verified tokens stay in memory while they are used, so that a call costs no query. Every second one query reads all of
 * them again, with the rights of their accounts; a notification of PostgreSQL, which triggers send with each change of
 * accounts, tokens and role bindings, does so at once. A server therefore honours a revoked token for two seconds at most,
 * even if the notification was lost. While the database is away, what is in memory holds for half a minute.
 *
 * Left to others: what a method requires (rpc/permissions.ts), what a role permits (task/roles.ts), SQL (store/accounts/).
 */

import { isDeepStrictEqual } from "node:util";
import { type LoopOptions, startLoop } from "../async/poll-loop.ts";
import type { ValidToken } from "../store/accounts/tokens.ts";
import type { Caller } from "../task/caller.ts";
import { Failure } from "../task/errors.ts";
import { isTokenText, tokenHash } from "./token-text.ts";

export interface CallersOptions {
  /** Returns the tokens with these hashes that are valid now. */
  findTokens(hashes: readonly string[]): Promise<ValidToken[]>;
  /** Records the use of tokens. */
  recordUse(hashes: readonly string[]): Promise<void>;
  /** Milliseconds between two queries. Default 1000. */
  everyMs?: number;
  logger?: LoopOptions["logger"];
}

export interface Callers extends AsyncDisposable {
  /** Returns the caller that a token belongs to; undefined: it is unknown, revoked or expired. */
  verify(token: string): Promise<Caller | undefined>;
  /** Reads all verified tokens again: rights may have changed. */
  changed(): void;
  /**
   * Returns a signal that is aborted with a Failure when the caller's token is no longer valid, or `isAllowed` is false of
   * its present rights. Callers without an account keep their rights. Disposing ends the observation.
   */
  observe(caller: Caller, isAllowed: (now: Caller) => boolean): Observation;
}

export interface Observation extends Disposable {
  readonly signal: AbortSignal;
}

/** Maximum number of verified tokens in memory. */
const MOST = 10_000;
/** Maximum number of tokens in one query. */
const MOST_ASKED = 1000;
/** Milliseconds without a call after which a token is forgotten. */
const IDLE_MS = 60_000;
/** Milliseconds after the last query that confirmed a token, for which the token is accepted without the database. */
const UNCONFIRMED_MS = 30_000;
const USE_EVERY_MS = 60_000;

interface Entry {
  caller: Caller;
  /** Times in milliseconds of performance.now(). */
  expires: number;
  confirmed: number;
  used: number;
  recorded: number;
  observers: Set<(now: Caller | undefined) => void>;
}

export function createCallers(options: CallersOptions): Callers {
  const entries = new Map<string, Entry>();
  /** Results of queries that callers wait for, by the hash of the token; `waiting`: hashes that no query has taken yet. */
  const questions = new Map<string, PromiseWithResolvers<Caller | undefined>>();
  const waiting = new Set<string>();
  let isAsking = false;
  const loop = startLoop(
    { name: "read tokens", everyMs: options.everyMs ?? 1000, logger: options.logger },
    refresh,
  );
  loop.start();

  async function refresh(): Promise<void> {
    const now = performance.now();
    for (const [hash, { used, observers }] of entries)
      if (observers.size === 0 && used < now - IDLE_MS) entries.delete(hash);
    // Expires tokens by this server's clock, so that they expire in time while the database is away.
    for (const [hash, { expires }] of entries) if (expires <= now) take(hash, undefined, now);
    if (entries.size === 0) return;
    const hashes = [...entries.keys()];
    const found = new Map((await options.findTokens(hashes)).map((token) => [token.hash, token]));
    for (const hash of hashes) take(hash, found.get(hash), now);
    const due = hashes.filter((hash) => {
      const entry = entries.get(hash);
      return entry && entry.used > entry.recorded && entry.recorded < now - USE_EVERY_MS;
    });
    if (due.length === 0) return;
    await options.recordUse(due);
    for (const entry of due.flatMap((hash) => entries.get(hash) ?? [])) entry.recorded = now;
  }

  /** Applies the database's answer about a token; undefined: it is not valid. `now`: when the query was sent. */
  function take(hash: string, token: ValidToken | undefined, now: number): Entry | undefined {
    const entry = entries.get(hash);
    if (!token) {
      entries.delete(hash);
      for (const observer of entry?.observers ?? []) observer(undefined);
      return undefined;
    }
    const caller: Caller = {
      kind: "account",
      name: `accounts/${token.account}`,
      grants: token.grants,
      tokenHash: hash,
    };
    const times = { expires: now + token.leftMs, confirmed: now };
    if (!entry) {
      if (entries.size >= MOST) evictOldest();
      const fresh = { caller, ...times, used: now, recorded: Number.NEGATIVE_INFINITY, observers: new Set() };
      entries.set(hash, fresh as Entry);
      return fresh as Entry;
    }
    const isSame = isDeepStrictEqual(entry.caller, caller);
    Object.assign(entry, isSame ? times : { ...times, caller });
    if (!isSame) for (const observer of entry.observers) observer(caller);
    return entry;
  }

  function evictOldest(): void {
    for (const [hash, { observers }] of entries) {
      if (observers.size > 0) continue;
      entries.delete(hash);
      return;
    }
  }

  /**
   * Queries all waiting tokens, one query at a time: a flood of made-up tokens occupies one database connection at most.
   */
  async function askAll(): Promise<void> {
    isAsking = true;
    while (waiting.size > 0) {
      const asked = [...waiting].slice(0, MOST_ASKED);
      for (const hash of asked) waiting.delete(hash);
      const now = performance.now();
      try {
        const found = await options.findTokens(asked);
        const tokens = new Map(found.map((token) => [token.hash, token]));
        for (const hash of asked) questions.get(hash)?.resolve(take(hash, tokens.get(hash), now)?.caller);
      } catch (error) {
        for (const hash of asked) questions.get(hash)?.reject(error);
      }
      for (const hash of asked) questions.delete(hash);
    }
    isAsking = false;
  }

  function ask(hash: string): Promise<Caller | undefined> {
    const running = questions.get(hash);
    if (running) return running.promise;
    const question = Promise.withResolvers<Caller | undefined>();
    questions.set(hash, question);
    waiting.add(hash);
    if (!isAsking) void askAll();
    return question.promise;
  }

  return {
    async verify(token) {
      if (!isTokenText(token)) return undefined;
      const hash = tokenHash(token).toString("base64");
      const now = performance.now();
      const entry = entries.get(hash);
      if (entry && now < entry.expires && entry.confirmed > now - UNCONFIRMED_MS) {
        entry.used = now;
        return entry.caller;
      }
      return ask(hash);
    },
    changed: () => loop.wake(),
    observe(caller, isAllowed) {
      const control = new AbortController();
      const entry = caller.tokenHash === undefined ? undefined : entries.get(caller.tokenHash);
      const observer = (now: Caller | undefined): void => {
        if (!now) control.abort(tokenGone());
        else if (!isAllowed(now)) control.abort(rightGone(now));
      };
      if (caller.kind === "account") {
        if (entry) entry.observers.add(observer);
        observer(entry?.caller);
      }
      return { signal: control.signal, [Symbol.dispose]: () => void entry?.observers.delete(observer) };
    },
    async [Symbol.asyncDispose]() {
      await loop.stop();
    },
  };
}

const tokenGone = () =>
  new Failure("unauthenticated", "The token of this call was revoked or has expired; use another token", {
    reason: "TOKEN_WRONG",
  });

const rightGone = ({ name }: Caller) =>
  new Failure(
    "denied",
    `${name} has lost a right that this stream needs; ask an administrator for a role with it, then open the stream again`,
    { reason: "PERMISSION_DENIED" },
  );
