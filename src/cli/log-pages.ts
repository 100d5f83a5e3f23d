import type { LogStream } from "../../gen/signalman/v1/task_pb.ts";
import type { ReadTaskLogRequest, ReadTaskLogResponse } from "../../gen/signalman/v1/task_service_pb.ts";
import type { Session } from "./session.ts";

const PAGE_LINES = 10_000;

export interface LogRange {
  name: string;
  streams?: LogStream[];
  start?: Exclude<ReadTaskLogRequest["start"], { case: undefined }>;
}

/** The log as it was when the first page was read: a task that prints on and on does not keep the reader. */
export async function* logPages(session: Session, range: LogRange): AsyncGenerator<ReadTaskLogResponse> {
  let { start } = range;
  let lastSeq: bigint | undefined;
  let afterSeq: bigint;
  do {
    const request = { ...range, start, maxLines: PAGE_LINES };
    const page = await session.call(({ tasks }, call) => tasks.readTaskLog(request, call));
    yield page;
    lastSeq ??= page.lastSeq;
    afterSeq = page.nextAfterSeq;
    start = { case: "afterSeq", value: afterSeq };
  } while (afterSeq < lastSeq);
}
