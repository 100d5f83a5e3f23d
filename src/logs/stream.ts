import { RestartableTimer } from "../async/restartable-timer.ts";
import type { Matcher } from "./matcher.ts";
import { findSecrets } from "./secrets.ts";
import { encodeStamp, STREAM_NUMBERS } from "./stamp.ts";
import type { LogStreamName } from "./types.ts";
import { StreamWindow } from "./window.ts";

/** Milliseconds after which unterminated text is shown, since it may be a prompt. */
const PROMPT_MS = 200;
/** Bytes of a write that are processed at a time: they fit into the CPU's cache, and memory stays bounded. */
const SLICE_BYTES = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/** The input side of one stream: bytes written, the part already redacted, and the time an unterminated line has waited. */
export class InputStream {
  readonly name: LogStreamName;
  readonly number: number;
  readonly window: StreamWindow;
  /** Encoded time and stream of the last write. */
  stamp: Buffer = NOTHING;
  /** A write that waits for room; undefined if none does. */
  writing: Promise<void> | undefined;
  /** The rest of the current write: a view of the caller's buffer. */
  #rest: Buffer = NOTHING;
  #stampedAt = Number.NaN;
  readonly #prompt: RestartableTimer;
  #promptOffset = -1;

  /**
   * Creates the input side of one output stream. `offset` is the raw offset of the first byte to come; `onPrompt` is called
   * when unterminated text has waited for PROMPT_MS.
   */
  constructor(name: LogStreamName, offset: number, onPrompt: (stream: InputStream) => void) {
    this.name = name;
    this.number = STREAM_NUMBERS[name];
    this.window = new StreamWindow(offset);
    this.#prompt = new RestartableTimer(PROMPT_MS, () => onPrompt(this));
  }

  /** Accepts a write; advance() moves it into the window. */
  accept(bytes: Buffer, ms: number): void {
    this.#rest = bytes;
    this.stampAt(ms);
  }

  /** Sets the time of the lines that follow, in milliseconds since 1970. */
  stampAt(ms: number): void {
    if (ms === this.#stampedAt) return;
    this.#stampedAt = ms;
    this.stamp = encodeStamp(this.number, ms);
  }

  /** Moves the next slice into the window and redacts it; returns false if there is none. */
  advance(matcher: Matcher | undefined): boolean {
    if (this.#rest.length === 0) return false;
    this.window.append(this.#rest.subarray(0, SLICE_BYTES));
    this.#rest = this.#rest.length > SLICE_BYTES ? this.#rest.subarray(SLICE_BYTES) : NOTHING;
    this.redact(matcher, false);
    return true;
  }

  /** Redacts the window up to bytes that may begin a secret. `final`: no more bytes come, so all of it is redacted. */
  redact(matcher: Matcher | undefined, final: boolean): void {
    const { window } = this;
    if (matcher === undefined) window.show(window.end, []);
    else window.show(...findSecrets(matcher, window.bytes, window.shown, window.end, final));
  }

  /** Redacts again with new patterns, including bytes that were decided before. */
  redactAgain(matcher: Matcher): void {
    this.window.doubt();
    this.redact(matcher, false);
  }

  /** Starts the prompt timer for unterminated text. To be called when all whole lines have been taken. */
  watchPrompt(): void {
    const { window } = this;
    const { offset } = window;
    if (window.taken === window.shown) this.#prompt.stop();
    else if (!this.#prompt.isRunning || offset !== this.#promptOffset) this.#prompt.start();
    this.#promptOffset = offset;
  }

  /** Stops the timer and releases the caller's buffer. */
  stop(): void {
    this.#prompt.stop();
    this.#rest = NOTHING;
  }
}
