import {
  type DescField,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type Draft, startDraft } from "./draft.ts";
import { type FittingOptions, fittingTexts } from "./fitting.ts";
import type { Random } from "./random.ts";
import { mapKey, mutate, wildText } from "./texts.ts";

const DEPTH = 6;
const INTS = [0, 1, 2, 50, 1000, 1001, -1, 2 ** 31 - 1, -(2 ** 31)];
const LONGS = [0n, 1n, 59n, 600n, -1n, 315_576_000_001n, 2n ** 63n - 1n, -(2n ** 63n)];
const DOUBLES = [0, -0.5, 1e300, Number.NaN, Number.POSITIVE_INFINITY];

export interface GeneratorOptions extends FittingOptions {
  commentOf(desc: DescField | DescMessage): string;
}

/** Matches comments of fields that are valid only in circumstances which a random request rarely meets. */
const SELDOM =
  /^(Output only|For a (deploy|build)|For `|For the Terraform|Only |Not for)|Only (if|for) |must be a valid answer|else empty|a deploy:|go together/;

/**
 * Creates random requests for any method, by its descriptors and the contract's comments: valid, nearly valid and wild
 * ones. They are written field by field in the wire format, so that no library corrects them.
 */
export function createGenerator(options: GeneratorOptions) {
  const { commentOf, harvest } = options;
  const fitting = fittingTexts(options);

  return (method: DescMethod, random: Random): Message => {
    const draft = startDraft(random, method);
    const next = random.chance(0.3) ? harvest.next(random, method) : undefined;
    return next ?? fromBinary(method.input, message(draft, method.input, 0));
  };

  function message(draft: Draft, desc: DescMessage, depth: number): Uint8Array {
    const writer = new BinaryWriter();
    const chosen = new Map(desc.oneofs.map((oneof) => [oneof, draft.random.pick(oneof.fields)]));
    for (const field of desc.fields) {
      if (field.oneof && chosen.get(field.oneof) !== field) continue;
      if (isSet(draft, field, depth)) write(draft, writer, field, depth);
    }
    if (draft.random.chance(draft.mode.wild / 10)) unknown(writer, draft.random);
    return writer.finish();
  }

  function isSet({ random, mode }: Draft, field: DescField, depth: number): boolean {
    if (depth >= DEPTH) return false;
    const comment = commentOf(field);
    const isNeeded =
      /^Required/.test(comment) ||
      field.parent.typeName === "google.protobuf.Duration" ||
      field.name === "paths" ||
      (depth > 0 && field.name === "name") ||
      (field.oneof && (isOpaque(field.parent) || /One of .* is required/.test(commentOf(field.parent))));
    if (isNeeded) return random.chance(1 - mode.wild / 4);
    return random.chance(mode.wild === 0 && SELDOM.test(comment) ? mode.set / 10 : mode.set);
  }

  function write(draft: Draft, writer: BinaryWriter, field: DescField, depth: number): void {
    const { random, mode } = draft;
    if (field.fieldKind === "map") {
      for (let n = random.below(3); n > 0; n--) {
        const entry = new BinaryWriter();
        entry.tag(1, WireType.LengthDelimited).string(key(draft, field));
        if (field.mapKind === "message")
          entry.tag(2, WireType.LengthDelimited).bytes(message(draft, field.message, depth + 1));
        else entry.tag(2, WireType.LengthDelimited).string(text(draft, field));
        writer.tag(field.number, WireType.LengthDelimited).bytes(entry.finish());
      }
    } else if (field.fieldKind === "list") {
      const many = random.chance(mode.wild / 20) && field.listKind !== "message";
      for (let n = many ? 1100 : random.below(4); n > 0; n--) one(draft, writer, field, depth);
    } else one(draft, writer, field, depth);
  }

  function one(draft: Draft, writer: BinaryWriter, field: DescField, depth: number): void {
    const { random, mode } = draft;
    const inner = field.message;
    if (inner) {
      writer.tag(field.number, WireType.LengthDelimited).bytes(message(draft, inner, depth + 1));
    } else if (field.enum) {
      const { values } = field.enum;
      const isMeant = values.length > 1 && mode.wild === 0 && random.chance(0.9);
      const known = random.pick(values.slice(isMeant ? 1 : 0)).number;
      writer.tag(field.number, WireType.Varint).int32(random.chance(mode.wild) ? random.pick(INTS) : known);
    } else scalar(draft, writer, field);
  }

  function scalar(draft: Draft, writer: BinaryWriter, field: DescField): void {
    const { random, mode } = draft;
    switch (field.scalar) {
      case ScalarType.STRING:
        return void writer.tag(field.number, WireType.LengthDelimited).string(text(draft, field));
      case ScalarType.BOOL:
        return void writer.tag(field.number, WireType.Varint).bool(random.chance(0.5));
      case ScalarType.INT32: {
        const value = random.chance(mode.wild) ? random.pick(INTS) : within(random, commentOf(field));
        return void writer.tag(field.number, WireType.Varint).int32(value);
      }
      case ScalarType.INT64: {
        const value = random.chance(mode.wild) ? random.pick(LONGS) : BigInt(1 + random.below(60));
        return void writer.tag(field.number, WireType.Varint).int64(value);
      }
      case ScalarType.DOUBLE: {
        const value = random.chance(mode.wild) ? random.pick(DOUBLES) : random.below(1000) / 8;
        return void writer.tag(field.number, WireType.Bit64).double(value);
      }
      default:
        throw new Error(`The generator does not know the type of ${field}`);
    }
  }

  function text(draft: Draft, field: DescField): string {
    return twist(draft, () => fitting(draft, field));
  }

  function key(draft: Draft, field: DescField): string {
    return twist(draft, () => mapKey(draft.random, field.name, commentOf(field)));
  }
}

/** Returns a valid text, a nearly valid one or a random one, by the mode. */
function twist({ random, mode }: Draft, fitting: () => string): string {
  if (random.chance(mode.wild)) return wildText(random);
  const right = fitting();
  return random.chance(mode.wild) ? mutate(random, right) : right;
}

/** Returns a number that the words `0 to 1000` of a comment allow; a small one if the comment has no such words. */
function within(random: Random, comment: string): number {
  const [, min, max] = /(\d+) to (\d+)/.exec(comment) ?? [];
  if (min === undefined || max === undefined) return random.below(10);
  const span = Number(max) - Number(min) + 1;
  return Number(min) + random.below(random.chance(0.1) ? span : Math.min(span, 10));
}

/** Writes an unknown field, as a newer or a faulty client sends it. */
function unknown(writer: BinaryWriter, random: Random): void {
  const number = random.pick([999, 20_000, 536_870_911]);
  if (random.chance(0.5)) writer.tag(number, WireType.LengthDelimited).string(wildText(random));
  else writer.tag(number, WireType.Varint).int64(random.pick(LONGS));
}

const isOpaque = (desc: DescMessage): boolean => desc.typeName.startsWith("google.protobuf.");
