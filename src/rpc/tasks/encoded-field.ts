import type { Message, UnknownField } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";

const NOTHING = new Uint8Array();

/**
 * A field whose message is encoded already. protobuf-es writes unknown fields through as they are, so it is never encoded
 * again. Before each unknown field goes its tag, which is a varint like any other: the second one is the length. Not for
 * JSON, which has no place for them.
 */
export function encodedField(no: number, message: Uint8Array): UnknownField[] {
  return [
    { no, wireType: WireType.LengthDelimited, data: NOTHING },
    { no: message.length >>> 3, wireType: message.length & 7, data: message },
  ];
}

/** The same for a repeated field: `messages` are its encoded messages, each with its tag, of one byte, and its length. */
export function encodedFields(no: number, messages: Uint8Array): UnknownField[] {
  return messages.length === 0
    ? []
    : [{ no, wireType: WireType.LengthDelimited, data: messages.subarray(1) }];
}

/**
 * The bytes of a message's field that is encoded already, and the message without them: encoded, it ends where they belong.
 * Undefined if there is none, or one of less than `minBytes`.
 */
export function detachField<M extends Message>(
  message: M,
  minBytes: number,
): { rest: M; bytes: Uint8Array } | undefined {
  const fields = message.$unknown ?? [];
  const last = fields.at(-1);
  if (!last || last.data.length < minBytes) return undefined;
  return { rest: { ...message, $unknown: fields.with(-1, { ...last, data: NOTHING }) }, bytes: last.data };
}
