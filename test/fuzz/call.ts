import type { DescMethodServerStreaming, DescMethodUnary, Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import type { Random } from "./random.ts";

export interface Call {
  method: DescMethodUnary | DescMethodServerStreaming;
  request: Message;
  transport: Transport;
  random: Random;
}

const MOST_EVENTS = 6;
export const LONGEST_WATCH_MS = 300;
/** Milliseconds within which every call must end, even on a loaded machine. */
export const PATIENCE_MS = 60_000;

/**
 * Makes a call and returns the error with which it ends, if any. For a stream it reads some events and then cancels the
 * call. Some calls have a deadline that they may miss.
 */
export async function answer(
  { method, request, transport, random }: Call,
  learn: (message: Message) => void,
): Promise<ConnectError | undefined> {
  const waits = method.name === "WaitTask" || ("wait" in request && request.wait !== undefined);
  const isHasty = waits || random.chance(0.02);
  const timeoutMs = waits ? LONGEST_WATCH_MS : isHasty ? 1 + random.below(20) : PATIENCE_MS;
  try {
    if (method.methodKind === "unary") {
      learn((await transport.unary(method, undefined, timeoutMs, undefined, request)).message);
    } else {
      const leave = AbortSignal.timeout(random.below(LONGEST_WATCH_MS));
      const input = (async function* () {
        yield request;
      })();
      const { message } = await transport.stream(method, leave, timeoutMs, undefined, input);
      let left = random.below(MOST_EVENTS);
      for await (const event of message) {
        learn(event);
        if (left-- === 0) break;
      }
    }
    return undefined;
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    if (method.methodKind !== "unary" && LEFT.includes(error.code)) return undefined;
    if (error.code === Code.DeadlineExceeded && !isHasty)
      throw new Error(`${method.name} has not answered for ${PATIENCE_MS / 1000} s`, { cause: error });
    return error;
  }
}

/** `AbortSignal.timeout` counts as a deadline. */
const LEFT: readonly Code[] = [Code.Canceled, Code.DeadlineExceeded];
