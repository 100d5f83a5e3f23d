import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { expect, test } from "vitest";
import {
  TaskService,
  type WatchTasksRequest,
  type WatchTasksResponse,
  WatchTasksResponseSchema,
} from "../../gen/signalman/v1/task_service_pb.ts";
import { watchTasks } from "../../src/client/watch-tasks.ts";

type Case = NonNullable<NonNullable<MessageInitShape<typeof WatchTasksResponseSchema>["event"]>["case"]>;
type Part = WatchTasksResponse | ConnectError;

const event = (resumeToken: string, kind: Case) =>
  create(WatchTasksResponseSchema, { resumeToken, event: { case: kind, value: {} } as never });
const broken = (code = Code.Unavailable) => new ConnectError("broken", code);

/** A service whose n-th stream sends the n-th script, and what a watch of it yields: `case token`. */
async function drain(scripts: Part[][], request: { resumeToken?: string } = {}) {
  const requests: WatchTasksRequest[] = [];
  const transport = createRouterTransport((router) =>
    router.service(TaskService, {
      async *watchTasks(asked) {
        requests.push(asked);
        for (const part of scripts[requests.length - 1] ?? [broken(Code.NotFound)]) {
          if (part instanceof ConnectError) throw part;
          yield part;
        }
      },
    }),
  );
  const told: string[] = [];
  const attempts: number[] = [];
  const onReconnect = ({ attempt }: { attempt: number }) => void attempts.push(attempt);
  let error: unknown;
  try {
    const watching = watchTasks(
      createClient(TaskService, transport),
      { filter: "x", ...request },
      { onReconnect },
    );
    for await (const { resumeToken, event } of watching) told.push(`${event.case} ${resumeToken}`.trim());
  } catch (thrown) {
    error = thrown;
  }
  return { told, attempts, tokens: requests.map(({ resumeToken }) => resumeToken), error, requests };
}

test("it goes on with the last token, whether the stream broke or closed", async () => {
  const { told, tokens, attempts, requests } = await drain([
    [event("", "snapshot"), event("1", "synced"), event("2", "change"), broken()],
    [event("2", "heartbeat"), event("3", "change")],
    [event("3", "heartbeat"), event("4", "change"), broken(Code.Internal)],
  ]);
  expect(told).toEqual([
    "snapshot",
    "synced 1",
    "change 2",
    "heartbeat 2",
    "change 3",
    "heartbeat 3",
    "change 4",
  ]);
  expect(tokens).toEqual(["", "2", "3", "4"]);
  expect(attempts).toEqual([1, 1, 1]);
  expect(requests.every(({ filter }) => filter === "x")).toBe(true);
});

test("before it is synced it begins anew, and waits longer each time that nothing came through", async () => {
  const { tokens, attempts } = await drain([
    [event("", "snapshot"), broken()],
    [broken()],
    [broken()],
    [event("1", "synced"), broken()],
    [event("1", "heartbeat"), broken()],
    [event("1", "heartbeat"), event("1", "heartbeat"), broken()],
  ]);
  expect(tokens).toEqual(["", "", "", "", "1", "1", "1"]);
  expect(attempts).toEqual([1, 2, 3, 1, 2, 1]);
});

test("it begins with the given token, and ends with an error that a retry would get again", async () => {
  const { tokens, error } = await drain([[broken(Code.InvalidArgument)]], { resumeToken: "9" });
  expect(tokens).toEqual(["9"]);
  expect(ConnectError.from(error).code).toBe(Code.InvalidArgument);
});
