import { RestartableTimer } from "../async/restartable-timer.ts";
import type { Matcher } from "./matcher.ts";
import { findSecrets } from "./secrets.ts";
import { encodeStamp, STREAM_NUMBERS } from "./stamp.ts";
import type { LogStreamName } from "./types.ts";
import { StreamWindow } from "./window.ts";

/** Unterminated text is shown after this long: it may be a prompt. */
const PROMPT_MS = 200;
/** How much of a write goes through the stages at a time: it stays in the cache, and memory is bounded. */
const SLICE_BYTES = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/** One stream of a log on its way in: what was written, what of it may be shown, and since when it waits. */
export class InputStream {
  readonly name: LogStreamName;
  readonly number: number;
  readonly window: StreamWindow;
  /** Time and stream of the last write, encoded. */
  stamp: Buffer = NOTHING;
  /** A write that waits for room. */
  writing: Promise<void> | undefined;
  /** What is left of the write: the caller's own buffer. */
  #rest: Buffer = NOTHING;
  #stampedAt = Number.NaN;
  readonly #prompt: RestartableTimer;
  #promptOffset = -1;

  /** `offset`: of the first raw byte to come. `onPrompt`: unterminated text has waited long enough. */
  constructor(name: LogStreamName, offset: number, onPrompt: (stream: InputStream) => void) {
    this.name = name;
    this.number = STREAM_NUMBERS[name];
    this.window = new StreamWindow(offset);
    this.#prompt = new RestartableTimer(PROMPT_MS, () => onPrompt(this));
  }

  /** Takes a write in; advance() brings it into the window. */
  accept(bytes: Buffer, ms: number): void {
    this.#rest = bytes;
    this.stampAt(ms);
  }

  /** Lines from here on carry this time. */
  stampAt(ms: number): void {
    if (ms === this.#stampedAt) return;
    this.#stampedAt = ms;
    this.stamp = encodeStamp(this.number, ms);
  }

  /** Moves the next slice into the window and redacts it; false: there is none. */
  advance(matcher: Matcher | undefined): boolean {
    if (this.#rest.length === 0) return false;
    this.window.append(this.#rest.subarray(0, SLICE_BYTES));
    this.#rest = this.#rest.length > SLICE_BYTES ? this.#rest.subarray(SLICE_BYTES) : NOTHING;
    this.redact(matcher, false);
    return true;
  }

  /** Decides what of the window may be shown; `final`: nothing more comes. */
  redact(matcher: Matcher | undefined, final: boolean): void {
    const { window } = this;
    if (matcher === undefined) window.show(window.end, []);
    else window.show(...findSecrets(matcher, window.bytes, window.shown, window.end, final));
  }

  /** The same with new patterns, also for what was decided before. */
  redactAgain(matcher: Matcher): void {
    this.window.doubt();
    this.redact(matcher, false);
  }

  /** Call when all lines have been taken: whatever text is left begins to wait, or goes on waiting. */
  watchPrompt(): void {
    const { window } = this;
    const { offset } = window;
    if (window.taken === window.shown) this.#prompt.stop();
    else if (!this.#prompt.isRunning || offset !== this.#promptOffset) this.#prompt.start();
    this.#promptOffset = offset;
  }

  /** Stops the timer and lets go of the caller's buffer. */
  stop(): void {
    this.#prompt.stop();
    this.#rest = NOTHING;
  }
}
