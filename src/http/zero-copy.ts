import type { Message } from "@bufbuild/protobuf";
import { createContextKey, type Interceptor } from "@connectrpc/connect";
import { guardStream } from "../rpc/interceptors/stream.ts";
import { detachField } from "../rpc/tasks/encoded-field.ts";

/*
 * Sends encoded fields without copying them. Connect copies every message three times. An interceptor therefore removes the
 * encoded field from a message, and `sendAnswer` writes its bytes after the frame of the rest. All watchers of a task are sent
 * the same memory, and a watcher that does not read holds no copy.
 */

/** Smallest field that is sent separately; copying a smaller one is cheaper. */
const WORTH_BYTES = 2048;
/** Offset of the length in the head of a frame: flags, then the length, big-endian (PROTOCOL-HTTP2.md, "Length-Prefixed-Message"). */
const LENGTH_AT = 1;
const HEAD_BYTES = 5;

/** Removed bytes of the current message. One place suffices, since Connect requests the next message after writing this one. */
export interface EncodedTail {
  bytes: Uint8Array | undefined;
}

/** EncodedTail of the call. */
export const encodedTailKey = createContextKey<EncodedTail | undefined>(undefined, { description: "tail" });

/** Removes encoded fields from messages that are sent in a frame. Must be the outermost interceptor, so that others see whole messages. */
export function takeEncodedFields(): Interceptor {
  return (next) => async (request) => {
    const response = await next(request);
    const tail = request.contextValues.get(encodedTailKey);
    if (!tail) return response;
    if (!response.stream) {
      // Only the Connect protocol sends the response of a unary call without a frame.
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
 * Returns the pieces to write for the frame of a message: the frame with its corrected length, and the removed bytes.
 * @throws Error if it is not the frame of that message: it is compressed, one of several parts, or the end of the stream because
 * Connect refused the message (for example over `writeMaxBytes`).
 */
export function piecesOf(frame: Uint8Array, tail: EncodedTail | undefined): Uint8Array[] {
  const bytes = tail?.bytes;
  if (!tail || !bytes) return [frame];
  tail.bytes = undefined;
  const head = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const length = head.getUint32(LENGTH_AT);
  if (head.getUint8(0) !== 0 || length !== frame.length - HEAD_BYTES)
    throw new Error(`Cannot append ${bytes.length} encoded bytes to the frame of another message`);
  head.setUint32(LENGTH_AT, length + bytes.length);
  return [frame, bytes];
}
