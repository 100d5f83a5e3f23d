import { type Command, InvalidArgumentError, Option } from "commander";
import { type LogLine, LogStream } from "../../../gen/signalman/v1/task_pb.ts";
import type { EscapeFilter } from "../../logs/escapes.ts";
import { parseTask } from "../input/names.ts";
import { parseWhole } from "../input/values.ts";
import { type LogRange, logPages } from "../log-pages.ts";
import { type Session, withSession } from "../session.ts";
import { startFor } from "../tail.ts";
import { jsonLogLine, stringify } from "../terminal/json.ts";
import { print, say, write } from "../terminal/output.ts";
import { printableLines } from "../terminal/printable.ts";
import { addOutputOptions, type OutputOptions, taskFilter } from "../terminal/task-output.ts";
import { createChunker } from "../view/chunks.ts";

interface LogsOptions extends OutputOptions {
  tail?: number;
  stream?: LogStream[];
  follow?: true;
  late?: true;
}

const STREAMS = new Map([
  ["stdout", LogStream.STDOUT],
  ["stderr", LogStream.STDERR],
  ["system", LogStream.SYSTEM],
]);

export function addLogs(program: Command): void {
  const command = program.command("logs");
  addOutputOptions(command)
    .description("print a task's log so far to stdout")
    .argument("<task>", "the task", parseTask)
    .option("-f, --follow", "keep printing until the task has ended")
    .option(
      "--tail <n>",
      "print only the last n lines; a long line counts once for each MiB",
      parseWhole(0, 1_000_000),
    )
    .addOption(
      new Option(
        "--stream <name>",
        "print this stream only: stdout, stderr or system; may be repeated",
      ).argParser(collectStreams),
    )
    .addOption(
      new Option(
        "--late",
        "print the output that came back with the task's server after the task had ended as LOST",
      ).conflicts("follow"),
    )
    .action(
      withSession(async (session, name: string, options: LogsOptions) => {
        const output = createOutput(session.json, options);
        for await (const lines of logLines(session, name, options)) await output.lines(lines);
        await output.end();
        return 0;
      }),
    );
}

function collectStreams(text: string, before: readonly LogStream[] = []): LogStream[] {
  const stream = STREAMS.get(text);
  if (stream === undefined)
    throw new InvalidArgumentError(`It must be one of ${[...STREAMS.keys()].join(", ")}.`);
  return [...before, stream];
}

async function* logLines(
  session: Session,
  name: string,
  { stream: streams, tail, follow, late }: LogsOptions,
): AsyncGenerator<LogLine[]> {
  const range = { name, streams, late };
  if (!follow && tail === 0) return;
  const start = await startFor(session, range, tail);
  if (follow) return yield* followed(session, { ...range, start });
  let isEmpty = true;
  for await (const page of logPages(session, { ...range, start })) {
    isEmpty &&= page.lines.length === 0;
    yield page.lines;
  }
  if (late && isEmpty)
    say("there are no late lines: only a LOST task has them, once its server is back and had more output");
}

async function* followed(session: Session, range: LogRange): AsyncGenerator<LogLine[]> {
  // Called first, since it fails after 10 s without a server, while a watch would retry for ever.
  await session.call(({ tasks }, options) => tasks.getTask({ name: range.name }, options));
  let isBroken = false;
  const events = session.client.watch(range, {
    onReconnect({ error, attempt, isRoutine }) {
      if (isRoutine) return;
      if (attempt === 1) say(`the connection broke (${error.rawMessage}); trying again`);
      isBroken = true;
    },
  });
  for await (const { event } of events) {
    if (isBroken) say("connected again");
    isBroken = false;
    if (event.case === "log") yield event.value.lines;
    if (event.case === "gap")
      say(`lines ${event.value.fromSeq} to ${event.value.toSeq} are missing: ${event.value.reason}`);
  }
}

/** Writes every stream to stdout. Each stream has its own filter, since an escape sequence may go on in a later line. */
function createOutput(isJson: boolean, options: OutputOptions) {
  const { stdout } = process;
  const chunksOf = createChunker(options);
  const filters = new Map<LogStream, EscapeFilter>([
    [LogStream.STDOUT, taskFilter(stdout, options)],
    [LogStream.STDERR, taskFilter(stdout, options)],
  ]);
  return {
    async lines(lines: readonly LogLine[]): Promise<void> {
      if (isJson) {
        for (const line of lines) await print(stringify(jsonLogLine(line)));
        return;
      }
      for (const { stream, data } of chunksOf(lines))
        await write(stdout, filters.get(stream)?.write(data) ?? printableLines(data.toString()));
    },
    async end(): Promise<void> {
      for (const filter of filters.values()) await write(stdout, filter.end());
    },
  };
}
