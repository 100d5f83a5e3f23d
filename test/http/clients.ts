import { ConnectError, type Transport } from "@connectrpc/connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";

/** Transports of Connect for every protocol and HTTP version of the port. */
export const TRANSPORTS = {
  gRPC: (baseUrl: string) => createGrpcTransport({ baseUrl }),
  "gRPC-Web over HTTP/1.1": (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "gRPC-Web over HTTP/2": (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
  "Connect over HTTP/1.1": (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect over HTTP/2": (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "2" }),
  "Connect with JSON": (baseUrl: string) =>
    createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: false }),
} satisfies Record<string, (baseUrl: string) => Transport>;

type UnaryCall = (
  request: object,
  done: (error: grpc.ServiceError | null, response: Record<string, unknown>) => void,
) => void;
type StreamCall = (request: object) => grpc.ClientReadableStream<Record<string, unknown>>;

/** Creates a TaskService client from grpc-js and the .proto files alone, as another service would have it. */
export function grpcJsClient(
  url: string,
  channel?: grpc.ChannelOptions,
  credentials = grpc.credentials.createInsecure(),
): grpc.Client & { getTask: UnaryCall; watchTask: StreamCall } {
  const options = { includeDirs: ["proto"], longs: String, enums: String };
  const root = grpc.loadPackageDefinition(loadSync("signalman/v1/task_service.proto", options)) as never as {
    signalman: { v1: { TaskService: grpc.ServiceClientConstructor } };
  };
  const Client = root.signalman.v1.TaskService;
  return new Client(url.startsWith("unix:") ? url : new URL(url).host, credentials, channel) as never;
}

/** Decodes the `grpc-status-details-bin` of a grpc-js client. */
export function detailsOf(error: grpc.ServiceError): ConnectError | undefined {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  if (!(bytes instanceof Buffer)) return undefined;
  return findTrailerError(new Headers({ "grpc-status-details-bin": bytes.toString("base64") }));
}

/** Returns code, reason and retry delay in milliseconds of an error. */
export function essence(error: unknown): { code: number; reason?: string; retryMs?: number } {
  const e = ConnectError.from(error);
  const delay = e.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return {
    code: e.code,
    reason: e.findDetails(ErrorInfoSchema)[0]?.reason,
    ...(delay && { retryMs: Number(delay.seconds) * 1000 + delay.nanos / 1e6 }),
  };
}
