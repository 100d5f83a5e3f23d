import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/**
 * Returns whether an encoded message has more fields than `most`, without decoding it. Each field that is sent counts, and for
 * each message also the fields of its type, since the decoded message has a place for each of them: an empty message of 2 bytes
 * becomes an object of 1,500. Packed lists count their bytes.
 *
 * A message that cannot be read counts up to the place where that shows: decoding it fails there too.
 */
export function hasMoreFields(desc: DescMessage, bytes: Uint8Array, most: number): boolean {
  const reader = new BinaryReader(bytes);
  let count = 0;
  const read = (shape: Shape, end: number): void => {
    count += shape.size;
    while (reader.pos < end && count <= most) {
      const [number, wireType] = reader.tag();
      count++;
      const child = wireType === WireType.LengthDelimited ? shape.childOf(number) : undefined;
      if (child === undefined) reader.skip(wireType, number);
      else if (child === "packed") count += reader.bytes().length;
      else read(child, reader.uint32() + reader.pos);
    }
  };
  try {
    read(shapeOf(desc), bytes.length);
  } catch {
    // Out of the message's bytes, or nested too deeply.
  }
  return count > most;
}

/** Properties of a message type that the count uses. */
interface Shape {
  size: number;
  /** Content of a field with a length; undefined: a text, bytes, or unknown. */
  childOf(number: number): Shape | "packed" | undefined;
}

const shapes = new WeakMap<DescMessage, Shape>();

function shapeOf(desc: DescMessage): Shape {
  const known = shapes.get(desc);
  if (known) return known;
  const fields = new Map(desc.fields.map((field) => [field.number, field]));
  const shape: Shape = { size: desc.fields.length, childOf: (number) => contentOf(fields.get(number)) };
  shapes.set(desc, shape);
  return shape;
}

function contentOf(field: DescField | undefined): Shape | "packed" | undefined {
  switch (field?.fieldKind) {
    case "message":
      return shapeOf(field.message);
    case "map":
      return entryOf(field.message);
    case "list":
      if (field.listKind === "message") return shapeOf(field.message);
      return field.packed ? "packed" : undefined;
    default:
      return undefined;
  }
}

/** Entries of a map are messages with a key and a value (https://protobuf.dev/programming-guides/encoding/#maps). */
const VALUE = 2;
const entryOf = (value: DescMessage | undefined): Shape => ({
  size: 2,
  childOf: (number) => (number === VALUE && value ? shapeOf(value) : undefined),
});
