import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { LogBatchSchema } from "../../gen/signalman/v1/task_pb.ts";
import {
  TaskService,
  type WatchTaskResponse,
  WatchTaskResponseSchema,
} from "../../gen/signalman/v1/task_service_pb.ts";
import { piecesOf } from "../../src/http/zero-copy.ts";
import { encodedField } from "../../src/rpc/tasks/encoded-field.ts";
import { TRANSPORTS } from "./clients.ts";
import { startServer } from "./server.ts";

/** Sizes around the one from which a field is sent separately, and above the flow-control window. */
const SIZES = [0, 1, 2000, 2100, 60_000, 1_000_000];

const FILL = 120;

const batch = (size: number) =>
  create(LogBatchSchema, { firstSeq: 1n, lines: [{ seq: 1n, content: new Uint8Array(size).fill(FILL) }] });

function encoded(size: number) {
  const message = create(WatchTaskResponseSchema, { resumeToken: `${size}` });
  const data = Buffer.from(toBinary(LogBatchSchema, batch(size)));
  message.$unknown = encodedField(WatchTaskResponseSchema.field.log.number, data);
  return message;
}

const tasks = {
  async *watchTask() {
    // One message for all, as watchers at the tip share it.
    const shared = encoded(50_000);
    for (const size of SIZES) {
      yield encoded(size);
      yield shared;
      yield { resumeToken: "between", event: { case: "heartbeat" as const, value: {} } };
    }
  },
};

/** Returns a short description, so that a failure is readable. */
function tell({ resumeToken, event }: WatchTaskResponse): string {
  if (event.case !== "log") return `${resumeToken} ${event.case}`;
  const content = event.value.lines[0]?.content ?? new Uint8Array();
  return `${resumeToken} log ${content.length}${content.every((byte) => byte === FILL) ? "" : " garbled"}`;
}

const BINARY = Object.entries(TRANSPORTS).filter(([name]) => !name.includes("JSON"));

describe.each(BINARY)("%s", (_, transport) => {
  test.each([
    ["as they are", false],
    ["compressed", true],
  ])("fields that are encoded already arrive in their messages, %s", async (_, compressAnswers) => {
    await using server = await startServer({ tasks, compressAnswers });
    const client = createClient(TaskService, transport(server.url));
    const events = await Array.fromAsync(client.watchTask({ name: "x" }));
    expect(events.map(tell)).toEqual(
      SIZES.flatMap((size) => [`${size} log ${size}`, "50000 log 50000", "between heartbeat"]),
    );
  });
});

test.each([
  ["is compressed", [1, 0, 0, 0, 1, 7]],
  ["is in several parts", [0, 0, 0, 0, 2, 7]],
  ["ends a stream of Connect", [2, 0, 0, 0, 2, 0x7b, 0x7d]],
  ["ends a stream of gRPC-Web", [0x80, 0, 0, 0, 1, 7]],
])("no bytes are sent behind a frame that %s", (_, frame) => {
  const bytes = Buffer.alloc(3000);
  expect(() => piecesOf(Buffer.from(frame), { bytes })).toThrow(
    "Cannot append 3000 encoded bytes to the frame of another message",
  );
});
