import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { clientLeft, toConnectError } from "../../../src/rpc/errors/errors.ts";
import { guardStream } from "../../../src/rpc/interceptors/stream.ts";

test("a message that cannot be sent ends the stream as CANCELED, since the client has left", async () => {
  const events: unknown[] = [];
  async function* messages() {
    try {
      yield 1;
    } finally {
      events.push("cleaned up");
    }
  }
  const { signal } = new AbortController();
  const guard = {
    failed: (error: unknown) => toConnectError(error, { requestId: "r1", signal }),
    unsent: clientLeft,
    ended: (error: unknown) => events.push(ConnectError.from(error).code),
  };
  const stream = guardStream(messages(), guard)[Symbol.asyncIterator]();
  await stream.next();
  const cause = new Error("The stream has been destroyed");
  await expect(stream.throw?.(cause)).rejects.toMatchObject({ code: Code.Canceled, cause });
  expect(events).toEqual(["cleaned up", Code.Canceled]);
});
