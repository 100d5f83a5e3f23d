import type { UnknownField } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";

const NOTHING = new Uint8Array();

/**
 * A field whose message is encoded already. protobuf-es writes unknown fields through as they are, so it is never encoded
 * again, nor copied before it is sent. Before each unknown field goes its tag, which is a varint like any other: the
 * second one is the length. Not for JSON, which has no place for them.
 */
export function encodedField(no: number, message: Buffer): UnknownField[] {
  return [
    { no, wireType: WireType.LengthDelimited, data: NOTHING },
    { no: message.length >>> 3, wireType: message.length & 7, data: message },
  ];
}
