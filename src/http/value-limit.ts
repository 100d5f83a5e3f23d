import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  compressedFlag,
  encodeEnvelope,
  readAllBytes,
  transformSplitEnvelope,
} from "@connectrpc/connect/protocol";
import { ValueCounter } from "../rpc/json/count-values.ts";
import { hasMoreFields } from "./count-fields.ts";

/** Most fields of a binary request, counted as by `hasMoreFields`: decoded, they take 10 MB of memory at most. */
const MOST_FIELDS = 250_000;
/** Size in bytes up to which a request cannot have that many. */
const UNCOUNTED_BYTES = 4096;

type Body = AsyncIterable<Uint8Array>;

export interface ValueLimitOptions {
  method: DescMethod;
  header: Headers;
  /** Size in bytes above which Connect refuses the request, after decompression. */
  mostBytes: number;
}

/**
 * Passes on the body of a request, and throws INVALID_ARGUMENT if it has too many values.
 *
 * A binary request is passed on only after its fields were counted, before Connect decodes it: 4 MiB of empty messages take 3 GB
 * once they are decoded. Small requests pass without that. The values of JSON are counted while it comes, so that the rest of
 * a request with too many is never held; JSON in frames or compressed is counted when it is whole (rpc/json/request-reader.ts).
 */
export function limitValues(body: Body, options: ValueLimitOptions): Body {
  const { method, header } = options;
  const type = header.get("content-type") ?? "";
  const isBidirectional = method.methodKind === "bidi_streaming" || method.methodKind === "client_streaming";
  if (isBidirectional) return body;
  const isFramed = /^application\/(grpc|connect\+)/.test(type);
  if (!type.includes("json")) return checked(body, options, isFramed);
  return isFramed || isCompressed(header) ? body : countJson(body);
}

async function* countJson(body: Body): AsyncGenerator<Uint8Array> {
  const counter = new ValueCounter();
  for await (const piece of body) {
    counter.add(piece);
    counter.assertFew();
    yield piece;
  }
}

async function* checked(
  body: Body,
  options: ValueLimitOptions,
  isFramed: boolean,
): AsyncGenerator<Uint8Array> {
  const { mostBytes } = options;
  const start: Uint8Array[] = [];
  const pieces = body[Symbol.asyncIterator]();
  const rest = { [Symbol.asyncIterator]: () => pieces };
  try {
    for (let length = 0; length <= UNCOUNTED_BYTES; ) {
      const piece = await pieces.next();
      if (piece.done) {
        if (!isCompressed(options.header)) return yield* start;
        break;
      }
      start.push(piece.value);
      length += piece.value.length;
    }
    const whole = chain(start, rest);
    if (!isFramed) {
      const message = await readAllBytes(whole, mostBytes);
      await check(message, isCompressed(options.header), options);
      yield message;
      return;
    }
    for await (const { flags, data } of transformSplitEnvelope(mostBytes)(whole)) {
      await check(data, (flags & compressedFlag) !== 0, options);
      yield encodeEnvelope(flags, data);
    }
  } finally {
    await pieces.return?.();
  }
}

async function* chain(start: Uint8Array[], rest: Body): AsyncGenerator<Uint8Array> {
  yield* start;
  yield* rest;
}

const ENCODING_HEADERS = ["content-encoding", "grpc-encoding", "connect-content-encoding"];
const isCompressed = (header: Headers): boolean =>
  ENCODING_HEADERS.some((name) => (header.get(name) ?? "identity") !== "identity");

const inflate = promisify(gunzip);

async function check(
  message: Uint8Array,
  isGzip: boolean,
  { method, mostBytes }: ValueLimitOptions,
): Promise<void> {
  // Connect refuses a body that cannot be decompressed, or is too large then.
  const bytes = isGzip
    ? await inflate(message, { maxOutputLength: mostBytes }).catch(() => undefined)
    : message;
  if (bytes && hasMoreFields(method.input, bytes, MOST_FIELDS))
    throw new ConnectError(
      `The request has too many values; it has at most ${MOST_FIELDS} fields, with those of its messages that are not set. Send less`,
      Code.InvalidArgument,
    );
}
