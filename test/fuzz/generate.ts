import type { DescField, DescMessage, DescMethod, MessageShape } from "@bufbuild/protobuf";
import { fromBinary, ScalarType } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type FittingOptions, fittingTexts } from "./fitting.ts";
import { mutate, wildText } from "./texts.ts";

const DEPTH = 6;
const INTS = [0, 1, 2, 50, 1000, 1001, -1, 2 ** 31 - 1, -(2 ** 31)];
const LONGS = [0n, 1n, 59n, 600n, -1n, 315_576_000_001n, 2n ** 63n - 1n, -(2n ** 63n)];
const DOUBLES = [0, -0.5, 1e300, Number.NaN, Number.POSITIVE_INFINITY];

/** How often a field is set, and how often to something that hardly fits. */
const MODES = [
  { set: 0.02, wild: 0.0 },
  { set: 0.1, wild: 0.0 },
  { set: 0.3, wild: 0.02 },
  { set: 0.3, wild: 0.2 },
  { set: 0.8, wild: 0.7 },
] as const;

/**
 * Random requests for any method, by its descriptors: right ones, nearly right ones and wild ones. They are written field
 * by field in the wire format, so that nothing on the way corrects them.
 */
export function createGenerator(options: FittingOptions) {
  const { random, commentOf } = options;
  const fitting = fittingTexts(options);
  let mode: (typeof MODES)[number] = MODES[0];

  return <M extends DescMethod>(method: M): MessageShape<M["input"]> => {
    mode = random.pick(MODES);
    return fromBinary(method.input, message(method.input, 0)) as MessageShape<M["input"]>;
  };

  function message(desc: DescMessage, depth: number): Uint8Array {
    const writer = new BinaryWriter();
    const chosen = new Map(desc.oneofs.map((oneof) => [oneof, random.pick(oneof.fields)]));
    for (const field of desc.fields) {
      if (field.oneof && chosen.get(field.oneof) !== field) continue;
      if (isSet(field, depth)) write(writer, field, depth);
    }
    return writer.finish();
  }

  function isSet(field: DescField, depth: number): boolean {
    if (depth >= DEPTH) return false;
    const isNeeded =
      /^Required/.test(commentOf(field)) ||
      (depth > 0 && (field.name === "name" || field.oneof !== undefined));
    return random.chance(isNeeded ? 1 - mode.wild / 4 : mode.set);
  }

  function write(writer: BinaryWriter, field: DescField, depth: number): void {
    if (field.fieldKind === "map") {
      for (let n = random.below(3); n > 0; n--) {
        const entry = new BinaryWriter();
        entry.tag(1, WireType.LengthDelimited).string(text(field, "key"));
        if (field.mapKind === "message")
          entry.tag(2, WireType.LengthDelimited).bytes(message(field.message, depth + 1));
        else entry.tag(2, WireType.LengthDelimited).string(text(field));
        writer.tag(field.number, WireType.LengthDelimited).bytes(entry.finish());
      }
    } else if (field.fieldKind === "list") {
      const many = random.chance(mode.wild / 20) && field.listKind !== "message";
      for (let n = many ? 1100 : random.below(4); n > 0; n--) one(writer, field, depth);
    } else one(writer, field, depth);
  }

  function one(writer: BinaryWriter, field: DescField, depth: number): void {
    const inner = field.message;
    if (inner) {
      writer.tag(field.number, WireType.LengthDelimited).bytes(message(inner, depth + 1));
    } else if (field.enum) {
      const known = random.pick(field.enum.values).number;
      writer.tag(field.number, WireType.Varint).int32(random.chance(mode.wild) ? random.pick(INTS) : known);
    } else scalar(writer, field);
  }

  function scalar(writer: BinaryWriter, field: DescField): void {
    switch (field.scalar) {
      case ScalarType.STRING:
        return void writer.tag(field.number, WireType.LengthDelimited).string(text(field));
      case ScalarType.BOOL:
        return void writer.tag(field.number, WireType.Varint).bool(random.chance(0.5));
      case ScalarType.INT32: {
        const value = random.chance(mode.wild) ? random.pick(INTS) : random.below(10);
        return void writer.tag(field.number, WireType.Varint).int32(value);
      }
      case ScalarType.INT64: {
        const value = random.chance(mode.wild) ? random.pick(LONGS) : BigInt(1 + random.below(60));
        return void writer.tag(field.number, WireType.Varint).int64(value);
      }
      case ScalarType.DOUBLE:
        return void writer.tag(field.number, WireType.Bit64).double(random.pick(DOUBLES));
      default:
        throw new Error(`The generator does not know the type of ${field}`);
    }
  }

  function text(field: DescField, role?: "key"): string {
    if (random.chance(mode.wild)) return wildText(random);
    const right = role === "key" ? random.pick(["A", "STAGE", "team", "default", "plan"]) : fitting(field);
    return random.chance(mode.wild) ? mutate(random, right) : right;
  }
}
