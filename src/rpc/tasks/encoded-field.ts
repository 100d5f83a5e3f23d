import type { Message, UnknownField } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";

const NOTHING = new Uint8Array();

/**
 * Returns unknown fields that put an encoded message into a field without decoding it. protobuf-es copies unknown fields to
 * the output, each as a tag and its data. A tag is a varint like the length of a message, so the tag of the second unknown
 * field is made to be the length. Not for JSON, which omits unknown fields.
 */
export function encodedField(no: number, message: Uint8Array): UnknownField[] {
  return [
    { no, wireType: WireType.LengthDelimited, data: NOTHING },
    { no: message.length >>> 3, wireType: message.length & 7, data: message },
  ];
}

/** As `encodedField`, for a repeated field. `messages`: its encoded messages, each after its one-byte tag and its length. */
export function encodedFields(no: number, messages: Uint8Array): UnknownField[] {
  return messages.length === 0
    ? []
    : [{ no, wireType: WireType.LengthDelimited, data: messages.subarray(1) }];
}

/**
 * Splits a message with an encoded field into the bytes of that field and the rest, which ends, when encoded, where these
 * bytes belong. Returns undefined if there is no such field, or it has less than `minBytes` bytes.
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
