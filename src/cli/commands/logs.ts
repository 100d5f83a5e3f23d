import { type Command, InvalidArgumentError, Option } from "commander";
import { LogStream } from "../../../gen/signalman/v1/task_pb.ts";
import { LogFormat, type ReadTaskLogResponse } from "../../../gen/signalman/v1/task_service_pb.ts";
import { parseTask } from "../input/names.ts";
import { parseWhole } from "../input/values.ts";
import { type Session, withSession } from "../session.ts";
import { jsonLogLine } from "../terminal/json.ts";
import { print, write } from "../terminal/output.ts";

interface LogsOptions {
  tail?: number;
  stream?: LogStream[];
  plain?: true;
}

const STREAMS = new Map([
  ["stdout", LogStream.STDOUT],
  ["stderr", LogStream.STDERR],
  ["system", LogStream.SYSTEM],
]);
const PAGE_LINES = 10_000;

export function addLogs(program: Command): void {
  program
    .command("logs")
    .description("print a task's log so far to stdout; `watch` goes on")
    .argument("<task>", "the task", parseTask)
    .option("--tail <n>", "the last lines only", parseWhole(0, 1_000_000))
    .addOption(new Option("--stream <name>", "this stream only; may be repeated").argParser(collectStreams))
    .option("--plain", "without terminal escape codes")
    .action(
      withSession(async (session, name: string, options: LogsOptions) => {
        if (options.tail === 0) return 0;
        for await (const page of pages(session, name, options)) await show(page, session.json);
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

/** The log as it was when the first page was read: a task that prints on and on does not keep us here. */
async function* pages(
  session: Session,
  name: string,
  options: LogsOptions,
): AsyncGenerator<ReadTaskLogResponse> {
  const { stream: streams } = options;
  const text = options.plain ? LogFormat.PLAIN_TEXT : LogFormat.TEXT;
  const base = { name, streams, maxLines: PAGE_LINES, format: session.json ? LogFormat.LINES : text };
  let lastSeq: bigint | undefined;
  let afterSeq: bigint | undefined;
  do {
    const start = startOf(afterSeq, options.tail);
    const page = await session.call(({ tasks }, call) => tasks.readTaskLog({ ...base, start }, call));
    yield page;
    lastSeq ??= page.lastSeq;
    afterSeq = page.nextAfterSeq;
  } while (afterSeq < lastSeq);
}

function startOf(afterSeq: bigint | undefined, tail: number | undefined) {
  if (afterSeq !== undefined) return { case: "afterSeq", value: afterSeq } as const;
  return tail === undefined ? undefined : ({ case: "tailLines", value: tail } as const);
}

async function show(page: ReadTaskLogResponse, json: boolean): Promise<void> {
  if (!json) return write(process.stdout, page.text);
  for (const line of page.lines) await print(JSON.stringify(jsonLogLine(line)));
}
