import { type DescMethod, type Message, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { Random } from "./random.ts";

/** A malformed request as bytes, and a description of it. */
export interface BrokenRequest {
  contentType: string;
  headers: Record<string, string>;
  body: Buffer;
}

const FORMS = ["connect", "grpc-web"] as const;

/** Breaks a request on the wire: its text or bytes, or its frame. */
export function breakRequest(random: Random, method: DescMethod, request: Message): BrokenRequest {
  const form = random.pick(FORMS);
  const json = random.chance(0.5) ? jsonOf(method, request) : undefined;
  const codec = json === undefined ? "proto" : "json";
  const payload =
    json === undefined
      ? breakBytes(random, Buffer.from(toBinary(method.input, request)))
      : Buffer.from(breakJson(random, json));
  const isPlain = form === "connect" && method.methodKind === "unary";
  const contentType =
    form === "grpc-web"
      ? `application/grpc-web+${codec}`
      : isPlain
        ? `application/${codec}`
        : `application/connect+${codec}`;
  return { contentType, headers: {}, body: isPlain ? payload : envelope(random, payload) };
}

/** Returns the request as JSON; undefined: JSON cannot represent it. */
export function jsonOf(method: DescMethod, request: Message): string | undefined {
  try {
    return toJsonString(method.input, request);
  } catch {
    return undefined;
  }
}

function breakBytes(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  return random.pick([
    () => bytes.subarray(0, at),
    () => Buffer.concat([bytes.subarray(0, at), Buffer.from([random.below(256)]), bytes.subarray(at)]),
    () => Buffer.from(bytes.map((byte, index) => (index === at ? byte ^ (1 << random.below(8)) : byte))),
    () => Buffer.concat([bytes, NOT_UTF8]),
    () => Buffer.concat([bytes, Buffer.alloc(12, 0xff)]),
    () => Buffer.concat([bytes, GROUPS]),
    () => Buffer.from(bytes.map(() => random.below(256))),
  ])();
}

/** Field 1 as a string that is not UTF-8; nested groups, which protobuf parsers have to skip. */
const NOT_UTF8 = Buffer.from([0x0a, 2, 0xc3, 0x28]);
const GROUPS = Buffer.alloc(5000, 0x0b);

function breakJson(random: Random, json: string): string {
  const inside = (text: string) => (json === "{}" ? `{${text}}` : `{${text},${json.slice(1)}`);
  const at = random.below(json.length + 1);
  return random.pick([
    () => json.slice(0, at),
    () => `${json.slice(0, at)}${random.pick(["\0", '"', "}", ",", "\ufeff", "NaN"])}${json.slice(at)}`,
    () => json.replace(/"(?=[,}\]])/, '\\ud800"'),
    () =>
      json.replace(/"[^"]*"(?=[,}\]])/, random.pick(["5", "true", "null", "[]", "{}", '"\\u0000"', "1e999"])),
    () => inside('"nope": 1'),
    () => inside('"__proto__": {"name": "x"}'),
    () => inside('"name": "a", "name": "b"'),
    () => inside(`"name": ${"[".repeat(5000)}`),
    () => `${"[".repeat(100_000)}${"]".repeat(100_000)}`,
    () => json.replace(/"[A-Z]+(_[A-Z]+)+"/, random.pick(["99", "-1", '"NO_SUCH_VALUE"', '"RUNNING"'])),
    () =>
      json.replace(/"-?[\d.]+s"/, random.pick(['"1e3s"', '"99999999999999999s"', '"-0.000000001s"', '"s"'])),
    () => `${json}${json}`,
    () => random.pick(["", " ", "null", "[]", "5", '"x"', "undefined", "\ufeff{}"]),
  ])();
}

const HEAD = 5;

/** Wraps a payload as in a stream: a flag, the length, the message. Mostly correct, so that the payload is read. */
function envelope(random: Random, payload: Buffer): Buffer {
  const isRight = random.chance(0.7);
  const head = Buffer.alloc(HEAD);
  head[0] = isRight ? 0 : random.pick([0, 1, 2, 0x80, 0xff]);
  const length = isRight ? payload.length : random.pick([0, payload.length + 1, 5 << 20, 2 ** 32 - 1]);
  head.writeUInt32BE(length, 1);
  const whole = Buffer.concat([head, payload]);
  if (isRight) return whole;
  return random.pick([whole, whole.subarray(0, random.below(HEAD)), Buffer.concat([whole, whole]), payload]);
}
