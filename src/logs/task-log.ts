import { RestartableTimer } from "../async/restartable-timer.ts";
import { TokenBucket } from "../async/token-bucket.ts";
import { CommitWindow } from "./commit-window.ts";
import { ChunkEncoder } from "./encoder.ts";
import { Matcher } from "./matcher.ts";
import { patternsOf } from "./secret-patterns.ts";
import { type PutLine, takeLines, takePrompt, takeTail } from "./split.ts";
import { InputStream } from "./stream.ts";
import type { Chunk, ProgramStream, StreamOffsets, TaskLog, TaskLogOptions } from "./types.ts";

/*
 * Turns the output of a task's program into its stored log.
 *
 * Bytes enter one window for each stream (stream.ts, window.ts). There secrets are found and masked:
 * secret-patterns.ts and spellings.ts tell what to look for, matcher.ts and secrets.ts look for it. Lines are cut
 * (split.ts), numbered, and encoded once as protobuf into the current chunk (encoder.ts). Chunks go to the sink in
 * order, a few at a time (commit-window.ts). scanner.ts, filter.ts and read.ts read chunks back.
 *
 * Guarantees: line numbers have no gaps; every chunk carries the raw offsets from which a later server continues with
 * exactly the rest; no secret is shown, however its bytes are split into writes; memory is bounded, since `write`
 * waits while the sink is behind.
 * Left to others: storing chunks (store/), waking watchers (live/), reading the spool (process/).
 */

/** After a burst of AT_ONCE chunks, a partly filled chunk is sent every GATHER_MS milliseconds. */
const GATHER_MS = 100;
const AT_ONCE = 4;

/** Opens the log of one task, new or where an earlier server stopped. */
export function openTaskLog(options: TaskLogOptions): TaskLog {
  return new OpenLog(options);
}

class OpenLog implements TaskLog {
  readonly #now: () => number;
  readonly #commits: CommitWindow;
  readonly #encoder: ChunkEncoder;
  readonly #streams: Record<ProgramStream, InputStream>;
  readonly #system = new InputStream("system", 0, () => {});
  readonly #bucket = new TokenBucket(GATHER_MS, AT_ONCE, () => this.#shipSoon());
  /**
   * Delays lines of the service by 100 ms at most, so that they are stored with the program's first lines: a commit
   * for them alone would delay the start.
   */
  readonly #sayTimer = new RestartableTimer(GATHER_MS, () => this.#shipSoon());
  #patterns: Buffer[] = [];
  #matcher: Matcher | undefined;
  #state: "open" | "ending" | "dropped" = "open";
  #end: Promise<Chunk | undefined> | undefined;

  constructor(options: TaskLogOptions) {
    this.#now = options.now ?? Date.now;
    this.#encoder = new ChunkEncoder(options.lastSeq);
    const onPrompt = (stream: InputStream) => this.#flushPrompt(stream);
    this.#streams = {
      stdout: new InputStream("stdout", options.offsets.stdout, onPrompt),
      stderr: new InputStream("stderr", options.offsets.stderr, onPrompt),
    };
    this.#commits = new CommitWindow(options.sink, options.depth ?? 2, options.offsets, (chunk) => {
      options.onStored?.(chunk);
      this.#shipSoon();
    });
    this.failed.addEventListener("abort", () => this.#drop(), { once: true });
    this.addSecrets(options.secrets);
  }

  get lastSeq(): number {
    return this.#encoder.lastSeq;
  }

  get storedOffsets(): Readonly<StreamOffsets> {
    return this.#commits.stored;
  }

  get failed(): AbortSignal {
    return this.#commits.failed;
  }

  write(name: ProgramStream, bytes: Buffer, offset: number): Promise<void> | undefined {
    const stream = this.#streams[name];
    if (this.#isOver(`write ${name}`)) return undefined;
    if (stream.writing !== undefined) throw new Error(`Cannot write ${name}: an earlier write still waits`);
    const { received } = stream.window;
    if (offset !== received)
      throw new RangeError(`Cannot write ${name} from ${offset}: expected ${received}`);
    stream.accept(bytes, this.#now());
    if (this.#advance(stream)) return undefined;
    stream.writing = this.#resume(stream);
    return stream.writing;
  }

  say(text: string): void {
    if (this.#isOver("add a line")) return;
    this.#system.stampAt(this.#now());
    this.#system.window.append(Buffer.from(text.endsWith("\n") ? text : `${text}\n`));
    this.#system.redact(this.#matcher, true);
    takeLines(this.#system.window, this.#putter(this.#system, true));
    if (!this.#sayTimer.isRunning) this.#sayTimer.start();
  }

  addSecrets(secrets: readonly string[]): void {
    const patterns = secrets.flatMap(patternsOf);
    if (patterns.length === 0) return;
    this.#patterns.push(...patterns);
    this.#matcher = new Matcher(this.#patterns);
    for (const stream of [this.#streams.stdout, this.#streams.stderr]) stream.redactAgain(this.#matcher);
  }

  end(): Promise<Chunk | undefined> {
    this.#end ??= this.#finish();
    return this.#end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#drop();
    await this.#commits.drained();
  }

  /** Returns true if the log was dropped, so that the call has no effect. Throws if end() was called. */
  #isOver(action: string): boolean {
    if (this.#end !== undefined) throw new Error(`Cannot ${action}: the task's log has ended`);
    return this.#state === "dropped";
  }

  /** Makes lines of the written bytes; returns false if there is no room for more. */
  #advance(stream: InputStream): boolean {
    const put = this.#putter(stream, false);
    do if (!takeLines(stream.window, put)) return false;
    while (stream.advance(this.#matcher));
    stream.watchPrompt();
    this.#shipSoon();
    return true;
  }

  async #resume(stream: InputStream): Promise<void> {
    do await this.#commits.changed();
    while (this.#state !== "dropped" && !this.#advance(stream));
    stream.writing = undefined;
  }

  /**
   * Returns the function that adds lines of a stream. `force`: never refuses a line, even if more chunks wait than
   * may.
   */
  #putter(stream: InputStream, force: boolean): PutLine {
    const { number, stamp } = stream;
    const encoder = this.#encoder;
    return (bytes, start, end, partial) => {
      if (encoder.add(number, stamp, bytes, start, end, partial)) return true;
      if (this.#commits.isFull && !force) return false;
      this.#ship();
      return encoder.add(number, stamp, bytes, start, end, partial);
    };
  }

  /** Shows unterminated text that has waited; later if there is no room. */
  #flushPrompt(stream: InputStream): void {
    if (this.#state !== "open") return;
    const put = this.#putter(stream, false);
    if (stream.writing === undefined && takePrompt(stream.window, put)) this.#shipSoon();
    stream.watchPrompt();
  }

  /**
   * Ships the current chunk if the token bucket and the commit window allow it; else either calls again when it does.
   */
  #shipSoon(): void {
    if (this.#state !== "open" || this.#encoder.isEmpty) return;
    if (this.#bucket.isOpen && !this.#commits.isFull) this.#ship();
  }

  #ship(): void {
    this.#sayTimer.stop();
    this.#commits.push(this.#encoder.finish(this.#offsets()));
    if (this.#state === "open") this.#bucket.spend();
  }

  #offsets(): StreamOffsets {
    return { stdout: this.#streams.stdout.window.offset, stderr: this.#streams.stderr.window.offset };
  }

  async #finish(): Promise<Chunk | undefined> {
    if (this.#state === "open") this.#state = "ending";
    await this.#empty(this.#streams.stdout);
    await this.#empty(this.#streams.stderr);
    await this.#commits.drained();
    this.failed.throwIfAborted();
    const last = this.#encoder.isEmpty ? undefined : this.#encoder.finish(this.#offsets());
    this.#drop();
    return last;
  }

  async #empty(stream: InputStream): Promise<void> {
    await stream.writing;
    const put = this.#putter(stream, false);
    stream.redact(this.#matcher, true);
    while (!(takeLines(stream.window, put) && takeTail(stream.window, put))) {
      if (this.#state === "dropped") return;
      await this.#commits.changed();
    }
  }

  #drop(): void {
    this.#state = "dropped";
    this.#bucket.stop();
    this.#sayTimer.stop();
    this.#commits.drop();
    for (const stream of Object.values(this.#streams)) stream.stop();
  }
}
