import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { type JsonObject, toJson } from "@bufbuild/protobuf";
import { createClient, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { TaskService, WatchTaskResponseSchema } from "../../gen/signalman/v1/task_service_pb.ts";
import { grpcJsClient, TRANSPORTS } from "../http/clients.ts";

/** A client that watches a task and yields the events in proto3 JSON, as they arrive. */
export type Watcher = (url: string, request: JsonObject) => AsyncIterable<JsonObject>;

const BUF = join(import.meta.dirname, "../../node_modules/.bin/buf");
const WATCH = "signalman.v1.TaskService/WatchTask";

/** All clients, by library and protocol. */
export const WATCHERS: Record<string, Watcher> = {
  ...Object.fromEntries(Object.entries(TRANSPORTS).map(([name, make]) => [name, byTransport(make)])),
  "gRPC-Web by connect-web": byTransport((baseUrl) => createGrpcWebTransport({ baseUrl })),
  "gRPC-Web with JSON by connect-web": byTransport((baseUrl) =>
    createGrpcWebTransport({ baseUrl, useBinaryFormat: false }),
  ),
  "grpc-js with a client made from the proto": byGrpcJs,
  "fetch with connect+json": byFetch,
  "buf curl over gRPC, with reflection only": byBufCurl(["--http2-prior-knowledge", "--protocol", "grpc"]),
  "buf curl over gRPC-Web, with reflection only": byBufCurl([
    "--http2-prior-knowledge",
    "--protocol",
    "grpcweb",
  ]),
};

function byTransport(make: (baseUrl: string) => Transport): Watcher {
  return async function* (url, request) {
    const client = createClient(TaskService, make(url));
    for await (const event of client.watchTask(request)) {
      yield toJson(WatchTaskResponseSchema, event) as JsonObject;
    }
  };
}

/** proto-loader's objects differ from proto3 JSON in bytes, times and in what is left out. */
async function* byGrpcJs(url: string, request: JsonObject): AsyncGenerator<JsonObject> {
  const client = grpcJsClient(url);
  for await (const event of client.watchTask(request)) yield plain(event) as JsonObject;
  client.close();
}

function plain(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString("base64");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  if ("seconds" in value && "nanos" in value) return timeOf(Number(value.seconds), Number(value.nanos));
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

/** Returns a time as proto3 JSON writes whole milliseconds. */
const timeOf = (seconds: number, nanos: number) =>
  new Date(seconds * 1000 + nanos / 1e6).toISOString().replace(".000Z", "Z");

/** Reads a stream of Connect: each message follows a byte of flags and four bytes of length; the last one has flag 2. */
async function* byFetch(url: string, request: JsonObject): AsyncGenerator<JsonObject> {
  const json = Buffer.from(JSON.stringify(request));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(json.length, 1);
  const response = await fetch(`${url}/${WATCH}`, {
    method: "POST",
    headers: { "content-type": "application/connect+json" },
    body: Buffer.concat([head, json]),
  });
  let rest = Buffer.alloc(0);
  for await (const part of response.body ?? []) {
    rest = Buffer.concat([rest, part as Uint8Array]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1);
      const message = JSON.parse(rest.toString("utf8", 5, end)) as JsonObject;
      if (rest[0] === 0) yield message;
      else if (message.error) throw new Error(JSON.stringify(message.error));
      rest = rest.subarray(end);
    }
  }
}

function byBufCurl(flags: string[]): Watcher {
  return async function* (url, request) {
    const child = spawn(BUF, ["curl", ...flags, "--data", JSON.stringify(request), `${url}/${WATCH}`], {
      stdio: ["ignore", "pipe", "inherit"],
    }) as ChildProcessByStdio<null, Readable, null>;
    const ended = once(child, "exit");
    let text = "";
    for await (const part of child.stdout.setEncoding("utf8")) {
      text += part;
      // The objects follow each other; each is closed by a brace at the beginning of a line, or on a line of its own.
      for (let end = text.indexOf("}\n"); end >= 0; end = text.indexOf("}\n", end + 1)) {
        const message = parsed(text.slice(0, end + 1));
        if (!message) continue;
        yield message;
        text = text.slice(end + 2);
        end = -1;
      }
    }
    const [code] = await ended;
    if (code !== 0) throw new Error(`buf curl ended with ${code}`);
  };
}

function parsed(text: string): JsonObject | undefined {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return undefined;
  }
}

/**
 * Returns the part that must be the same for all watchers. The following may differ: how lines are batched, the snapshot (the task as it was when
 * this watch began), heartbeats and tokens.
 */
export function commonOf(events: readonly JsonObject[]): unknown[] {
  return events.flatMap((event): unknown[] => {
    const { log, status, end } = event as Record<string, JsonObject>;
    if (log) return (log.lines as JsonObject[]).map(essence);
    if (status) return [essence(status)];
    if (end) return [{ lastSeq: end.lastSeq, task: essence(end.task as JsonObject) }];
    return [];
  });
}

/** Removes fields with default values: JSON leaves them out, proto-loader may not. */
function essence(message: JsonObject): unknown {
  return JSON.parse(JSON.stringify(message, (_, value) => (isDefault(value) ? undefined : value)));
}

const isDefault = (value: unknown) =>
  value === "" ||
  value === false ||
  value === 0 ||
  value === "0" ||
  value === null ||
  /_UNSPECIFIED$/.test(String(value));
