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

/**
 * The bytes of a message's encodedField, and the message without them: encoded, it ends where they belong. Undefined if
 * there is none, or one of less than `minBytes`.
 */
export function detachField<M extends Message>(
  message: M,
  minBytes: number,
): { rest: M; bytes: Uint8Array } | undefined {
  const [tag, length] = message.$unknown ?? [];
  if (!tag || !length || length.data.length < minBytes) return undefined;
  return { rest: { ...message, $unknown: [tag, { ...length, data: NOTHING }] }, bytes: length.data };
}
