import type { LogStream } from "../../gen/signalman/v1/task_pb.ts";
import type { ReadTaskLogRequest, ReadTaskLogResponse } from "../../gen/signalman/v1/task_service_pb.ts";
import type { Session } from "./session.ts";

const PAGE_LINES = 10_000;

export interface LogRange {
  name: string;
  streams?: LogStream[];
  late?: boolean;
  start?: Exclude<ReadTaskLogRequest["start"], { case: undefined }>;
}

/** Reads a log up to its last line at the time of the first page, so that reading ends while the task goes on printing. */
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
