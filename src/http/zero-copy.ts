import type { Message } from "@bufbuild/protobuf";
import { createContextKey, type Interceptor } from "@connectrpc/connect";
import { guardStream } from "../rpc/interceptors/stream.ts";
import { detachField } from "../rpc/tasks/encoded-field.ts";

/*
 * What a message carries encoded already need not pass through Connect, where every message is copied three times. An
 * interceptor takes it out of the message, and it follows the message's frame again on the way to the socket: all watchers
 * of a task are sent the same bytes of the same memory, and one that does not read holds no copy of its own.
 */

/** Less is cheaper to copy than to write apart. */
const WORTH_BYTES = 2048;
/** Of a frame's head: flags, then the length of its message, big-endian (PROTOCOL-HTTP2.md, "Length-Prefixed-Message"). */
const LENGTH_AT = 1;
const HEAD_BYTES = 5;

/** The last bytes of the message that is under way: Connect asks for the next message when this one is written. */
export interface EncodedTail {
  bytes: Uint8Array | undefined;
}

/** Each call has one. */
export const encodedTailKey = createContextKey<EncodedTail | undefined>(undefined, { description: "tail" });

/** Takes encoded fields out of messages that get a frame. To be the outermost: the others see whole messages. */
export function takeEncodedFields(): Interceptor {
  return (next) => async (request) => {
    const response = await next(request);
    const tail = request.contextValues.get(encodedTailKey);
    if (!tail) return response;
    if (!response.stream) {
      // Of the protocols, Connect alone sends the answer of a unary call without a frame.
      const hasFrame = request.header.get("content-type")?.startsWith("application/grpc");
      return hasFrame ? { ...response, message: detach(response.message, tail) } : response;
    }
    return {
      ...response,
      message: guardStream(response.message, { each: (message) => detach(message, tail) }),
    };
  };
}

function detach<M extends Message>(message: M, tail: EncodedTail): M {
  const found = detachField(message, WORTH_BYTES);
  tail.bytes = found?.bytes;
  return found?.rest ?? message;
}

/**
 * What goes to the socket for a message's frame.
 * @throws if it is not the frame of the message that the bytes were taken from: it is compressed, one of several parts, or
 * the end of the stream, since Connect refused the message (as it would one over `writeMaxBytes`).
 */
export function piecesOf(frame: Uint8Array, tail: EncodedTail | undefined): Uint8Array[] {
  const bytes = tail?.bytes;
  if (!tail || !bytes) return [frame];
  tail.bytes = undefined;
  const head = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const length = head.getUint32(LENGTH_AT);
  if (head.getUint8(0) !== 0 || length !== frame.length - HEAD_BYTES)
    throw new Error(`Cannot send ${bytes.length} bytes behind the frame of another message`);
  head.setUint32(LENGTH_AT, length + bytes.length);
  return [frame, bytes];
}
