import type { DescMessage, JsonValue } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { JSONParser } from "@streamparser/json";
import { type FieldViolation, invalid } from "../../task/errors.ts";
import { failureError } from "../errors/errors.ts";
import { pathText } from "../rules/path.ts";
import { ValueCounter } from "./count-values.ts";
import { decode, decodes, type JsonPath, type Problem } from "./decode.ts";
import { largeNumbersIn, TOO_LARGE } from "./whole-numbers.ts";

/**
 * Replaces the TextDecoder with which Connect reads a JSON request of one message. Refuses unreadable requests field by field,
 * since errors of JSON.parse and protobuf-es quote the request, secrets included. Also refuses whole numbers that JSON.parse
 * would change.
 */
export function requestReader(desc: DescMessage): { decode(bytes: Uint8Array): string } {
  const decoder = new TextDecoder();
  return {
    decode(bytes) {
      const counter = new ValueCounter();
      counter.add(bytes);
      counter.assertFew();
      const text = decoder.decode(bytes);
      const violations = violationsIn(desc, text);
      if (violations.length > 0) throw failureError(invalid(violations));
      return text;
    },
  };
}

/** Largest request, in characters, that is searched for its wrong places: the search takes much longer than decoding. */
const MOST_SEARCHED = 256 * 1024;

function violationsIn(desc: DescMessage, text: string): FieldViolation[] {
  const problems = problemsIn(desc, text);
  if (problems.length > 0) return problems.map(({ path, description }) => violation(desc, path, description));
  return largeNumbersIn(text).map((path) => violation(desc, path, TOO_LARGE));
}

function problemsIn(desc: DescMessage, text: string): Problem[] {
  const json = parse(text);
  if (text.length <= MOST_SEARCHED) return decode(desc, json).problems;
  return decodes(desc, json)
    ? []
    : [
        {
          path: [],
          description:
            "a value does not have the type of its field; larger requests are not searched for the place",
        },
      ];
}

function violation(desc: DescMessage, path: JsonPath, description: string): FieldViolation {
  return { field: pathText(desc, inContract(desc, path)), description };
}

/** Converts a path from JSON names to names of the contract. Keys of maps and Structs stay. */
function inContract(desc: DescMessage | undefined, [step, ...rest]: JsonPath): JsonPath {
  if (step === undefined) return [];
  const field = desc?.fields.find(({ jsonName, name }) => step === jsonName || step === name);
  if (field === undefined) return [step, ...inContract(typeof step === "number" ? desc : undefined, rest)];
  if (field.fieldKind !== "map") return [field.name, ...inContract(field.message, rest)];
  const [key, ...inner] = rest;
  return key === undefined ? [field.name] : [field.name, key, ...inContract(field.message, inner)];
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    // The cause is left out, since it quotes the request.
    throw new ConnectError(
      `The request cannot be read: it is not valid JSON${placeOf(text)}`,
      Code.InvalidArgument,
    );
  }
}

/** Returns where a text ceases to be JSON, as the end of a sentence; "" if that is not known. */
function placeOf(text: string): string {
  if (text.length > MOST_SEARCHED) return "";
  let said = "";
  const parser = new JSONParser();
  parser.onValue = () => {};
  parser.onError = ({ message }) => {
    said ||= message;
  };
  try {
    parser.write(text);
  } catch {
    return "";
  }
  const [, position] = /absolute position "(\d+)"/.exec(said) ?? [];
  return position === undefined ? "" : ` from byte ${position} on`;
}
