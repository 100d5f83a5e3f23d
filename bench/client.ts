import { fileURLToPath } from "node:url";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const PROTO = fileURLToPath(new URL("../proto", import.meta.url));
const definition = loadSync("signalman/v1/task_service.proto", { includeDirs: [PROTO], longs: Number });
const methods = definition["signalman.v1.TaskService"] as unknown as Record<
  string,
  grpc.MethodDefinition<object, never>
>;

/** Counts of one event, read from its bytes without making objects of its lines. */
export interface Seen {
  lines: number;
  /** Bytes of the lines' contents. */
  bytes: number;
  isEnd: boolean;
}

/**
 * A grpc-js client made from the proto files, as another program would have it. `window`: flow-control window in bytes; with
 * grpc-js's default of 64 KiB each message waits for the acknowledgement of the one before.
 */
export function benchClient(url: string, { window }: { window?: number } = {}) {
  const client = new grpc.Client(url.replace("http://", ""), grpc.credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    ...(window && { "grpc-node.flow_control_window": window }),
  });
  const run = methods.RunTask as grpc.MethodDefinition<object, never>;
  const watch = methods.WatchTask as grpc.MethodDefinition<object, never>;
  const readLog = methods.ReadTaskLog as grpc.MethodDefinition<object, never>;
  const watchAll = methods.WatchTasks as grpc.MethodDefinition<object, never>;
  return {
    runTask: (request: object) =>
      new Promise<{ task: { name: string } }>((resolve, reject) => {
        client.makeUnaryRequest(
          run.path,
          run.requestSerialize,
          run.responseDeserialize,
          request,
          (error, answer) => (error || !answer ? reject(error) : resolve(answer)),
        );
      }),
    /** Reads one page of a log and only counts it, so that the cost of client objects is not measured. */
    countPage: (request: object) =>
      new Promise<Page>((resolve, reject) => {
        client.makeUnaryRequest(readLog.path, readLog.requestSerialize, countPage, request, (error, page) =>
          error || !page ? reject(error) : resolve(page),
        );
      }),
    /** Yields every event as an object, as a client made from the proto gets it. */
    watchTask: (name: string) =>
      client.makeServerStreamRequest(watch.path, watch.requestSerialize, watch.responseDeserialize, { name }),
    /** The same for every task of a project. */
    watchTasks: (parent: string) =>
      client.makeServerStreamRequest(watchAll.path, watchAll.requestSerialize, watchAll.responseDeserialize, {
        parent,
      }),
    /** Watches a task and only counts its events, so that the cost of client objects is not measured. */
    countTask: (name: string) =>
      client.makeServerStreamRequest(watch.path, watch.requestSerialize, count, { name }),
    close: () => client.close(),
  };
}

/** Figures of one answer to ReadTaskLog. */
export interface Page {
  bytes: number;
  next: number;
  complete: boolean;
}

/** Field numbers of ReadTaskLogResponse. */
const PAGE_FIELD = { next: 3, complete: 5 };

function countPage(message: Buffer): Page {
  const page: Page = { bytes: message.length, next: 0, complete: false };
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === PAGE_FIELD.next) page.next = Number(reader.int64());
    else if (field === PAGE_FIELD.complete) page.complete = reader.bool();
    else reader.skip(type, field);
  }
  return page;
}

/** Field numbers of WatchTaskResponse, LogBatch and LogLine. */
const FIELD = { log: 3, end: 7, lines: 2, content: 4 };

function count(message: Buffer): Seen {
  const seen: Seen = { lines: 0, bytes: 0, isEnd: false };
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === FIELD.end) seen.isEnd = true;
    if (field !== FIELD.log || type !== WireType.LengthDelimited) reader.skip(type, field);
    else countBatch(reader, seen);
  }
  return seen;
}

function countBatch(reader: BinaryReader, seen: Seen): void {
  const size = reader.uint32();
  const end = reader.pos + size;
  while (reader.pos < end) {
    const [field, type] = reader.tag();
    if (field !== FIELD.lines) {
      reader.skip(type, field);
      continue;
    }
    seen.lines++;
    const length = reader.uint32();
    seen.bytes += length;
    reader.pos += length;
  }
}
