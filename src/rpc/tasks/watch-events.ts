import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { LogBatchSchema } from "../../../gen/signalman/v1/task_pb.ts";
import {
  type WatchTaskResponse,
  WatchTaskResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import type { Batch } from "../../live/hub.ts";
import { encodedField } from "./encoded-field.ts";
import { type Cursor, encodeToken } from "./resume-token.ts";

type Event = MessageInitShape<typeof WatchTaskResponseSchema>["event"];

/** Creates the events of one WatchTask stream. For JSON it decodes batches, since JSON omits fields that are passed on encoded. */
export interface EventMaker {
  event(cursor: Cursor, event: Event): WatchTaskResponse;
  /** `data`: an encoded LogBatch. */
  log(cursor: Cursor, data: Buffer): WatchTaskResponse;
  /** As `log`, for a batch that the hub shares with other watchers. */
  shared(cursor: Cursor, batch: Batch): WatchTaskResponse;
  /** Number of events created so far. */
  readonly made: number;
}

const LOG_FIELD = WatchTaskResponseSchema.field.log.number;

/** Message of each shared batch. Its watchers are at the same cursor, so they share the resume token too. */
const sharedMessages = new WeakMap<Batch, WatchTaskResponse>();

export function createEventMaker(taskId: string, isJson: boolean): EventMaker {
  const event = (cursor: Cursor, value: Event) =>
    create(WatchTaskResponseSchema, { resumeToken: encodeToken(taskId, cursor), event: value });
  const log = (cursor: Cursor, data: Buffer) =>
    isJson
      ? event(cursor, { case: "log", value: fromBinary(LogBatchSchema, data) })
      : encodedLog(encodeToken(taskId, cursor), data);
  const shared = (cursor: Cursor, batch: Batch) => {
    if (isJson) return log(cursor, batch.data);
    const message = sharedMessages.get(batch) ?? log(cursor, batch.data);
    sharedMessages.set(batch, message);
    return message;
  };
  let made = 0;
  const counted = (message: WatchTaskResponse) => {
    made++;
    return message;
  };
  return {
    event: (cursor, value) => counted(event(cursor, value)),
    log: (cursor, data) => counted(log(cursor, data)),
    shared: (cursor, batch) => counted(shared(cursor, batch)),
    get made() {
      return made;
    },
  };
}

function encodedLog(resumeToken: string, data: Buffer): WatchTaskResponse {
  const message = create(WatchTaskResponseSchema, { resumeToken });
  message.$unknown = encodedField(LOG_FIELD, data);
  return message;
}
