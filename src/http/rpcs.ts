import type { DescMethod } from "@bufbuild/protobuf";
import {
  type ConnectRouter,
  createConnectRouter,
  createServiceImplSpec,
  type Interceptor,
} from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { compressionGzip } from "@connectrpc/connect-node";
import { requestReader } from "../rpc/json/request-reader.ts";
import { permissionOf } from "../rpc/permissions.ts";
import { markReached } from "./early-error.ts";
import { takeEncodedFields } from "./zero-copy.ts";

const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

/** Returns the maximum size of a request in bytes: little for public methods, and for streams, which hold it while they are open. */
export function mostBytesOf(method: DescMethod): number {
  if (permissionOf(method) === "public") return 4 * 1024;
  return method.methodKind === "unary" ? MAX_REQUEST_BYTES : 64 * 1024;
}

/** Unknown fields would be kept for as long as the call is open. */
const BINARY_OPTIONS = { readUnknownFields: false };

export interface RpcOptions {
  routes: (router: ConnectRouter) => unknown;
  /** Interceptors, the outermost first. In production those of rpc/interceptors/all.ts. */
  interceptors: Interceptor[];
  /**
   * Whether to compress responses with gzip for clients that accept it. Off by default: on a local network it costs more than
   * it saves (measured). Compressed requests are always accepted.
   */
  compressAnswers?: boolean;
}

/** Returns Connect's handlers of the RPCs, by the paths under which they are called. */
export function rpcsByPath(options: RpcOptions): Map<string, UniversalHandler> {
  // Compressed messages cannot be split.
  const splicing = options.compressAnswers ? [] : [takeEncodedFields()];
  const router = createConnectRouter({
    interceptors: [markReached(), ...splicing, ...options.interceptors],
    readMaxBytes: MAX_REQUEST_BYTES,
    acceptCompression: [compressionGzip],
  });
  options.routes(withReaders(router));
  return new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
}

/** Wraps a router so that each method gets the readers of its request message. */
function withReaders(router: ConnectRouter): ConnectRouter {
  return {
    ...router,
    service(service, implementation) {
      for (const { method, impl } of Object.values(createServiceImplSpec(service, implementation).methods)) {
        // People write JSON, so an unknown field is an error and not ignored.
        const jsonOptions = { ignoreUnknownFields: false, textDecoder: requestReader(method.input) };
        router.rpc(method, impl as never, {
          jsonOptions,
          binaryOptions: BINARY_OPTIONS,
          readMaxBytes: mostBytesOf(method),
        });
      }
      return this;
    },
  };
}
