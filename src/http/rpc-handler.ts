import type { ServerResponse } from "node:http";
import {
  type ConnectRouter,
  createConnectRouter,
  createContextValues,
  createServiceImplSpec,
  type Interceptor,
} from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { compressionGzip } from "@connectrpc/connect-node";
import type { Logger } from "pino";
import { type Credentials, credentialsOf, type Peer } from "../access/authenticator.ts";
import { callerKey, peerKey } from "../rpc/interceptors/context.ts";
import { requestReader } from "../rpc/json/request-reader.ts";
import { permissionOf } from "../rpc/permissions.ts";
import type { Caller } from "../task/caller.ts";
import { Failure } from "../task/errors.ts";
import { type OpenCall, trackCalls } from "./calls.ts";
import { completeEarlyError, markReached, reachedKey } from "./early-error.ts";
import { faultOfGet, httpMethodsOf } from "./get.ts";
import { withPlainMessage } from "./grpc-message.ts";
import { authority } from "./listen-error.ts";
import type { Handler, HttpRequest, HttpResponse } from "./port.ts";
import {
  refuseCaller,
  refuseForm,
  refuseGet,
  refuseHost,
  refuseHttpMethod,
  refuseUnknown,
} from "./refusals.ts";
import { sendAnswer } from "./send.ts";
import { universalRequestOf } from "./universal-request.ts";
import { type EncodedTail, encodedTailKey, takeEncodedFields } from "./zero-copy.ts";

const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

type Authenticate = (given: Credentials) => Promise<Caller | Failure>;

export interface RpcHandlerOptions {
  routes: (router: ConnectRouter) => unknown;
  /** Tells who the caller is, from the headers alone. The body of a refused call is not read. */
  authenticate: Authenticate;
  /** Interceptors, the outermost first. In production those of rpc/interceptors/all.ts. */
  interceptors: Interceptor[];
  /** Once aborted, all calls are aborted and end with UNAVAILABLE and RetryInfo as soon as their handlers return. */
  shutdownSignal: AbortSignal;
  logger: Logger;
  /** Handlers of plain HTTP by path, such as `/healthz`. */
  pages?: ReadonlyMap<string, Handler>;
  /** Host names for which reads by GET are allowed, besides localhost and IP addresses. */
  getHosts?: readonly string[];
  /**
   * Whether to compress responses with gzip for clients that accept it. Off by default: on a local network it costs more than
   * it saves (measured). Compressed requests are always accepted.
   */
  compressAnswers?: boolean;
}

/**
 * Returns the handler of RPCs over gRPC, gRPC-Web and Connect. Replaces `connectNodeAdapter`, in which an invalid Host header
 * ends the process, errors are printed to the console, and errors before the first interceptor cannot be completed.
 */
export function rpcHandler(options: RpcHandlerOptions): Handler {
  const rpcs = rpcsByPath(options);
  const parts: Parts = {
    openCall: trackCalls(options.shutdownSignal),
    authenticate: options.authenticate,
    logger: options.logger,
    getHosts: options.getHosts ?? [],
    compressAnswers: options.compressAnswers ?? false,
  };
  return (request, response) => {
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    const page = options.pages?.get(path);
    const rpc = rpcs.get(path);
    if (page !== undefined) page(request, response);
    else if (rpc === undefined) refuseUnknown(request, response, path);
    else {
      serve(rpc, request, response, parts).catch((error) => {
        if (!isGone(response)) options.logger.error({ err: error, path }, "a response broke off");
        response.destroy();
      });
    }
  };
}

function rpcsByPath(options: RpcHandlerOptions): Map<string, UniversalHandler> {
  // Compressed messages cannot be split.
  const splicing = options.compressAnswers ? [] : [takeEncodedFields()];
  const router = createConnectRouter({
    interceptors: [markReached(), ...splicing, ...options.interceptors],
    readMaxBytes: MAX_REQUEST_BYTES,
    acceptCompression: [compressionGzip],
  });
  options.routes(withJsonReaders(router));
  return new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
}

/** Wraps a router so that each method gets a JSON reader for its request message. */
function withJsonReaders(router: ConnectRouter): ConnectRouter {
  return {
    ...router,
    service(service, implementation) {
      for (const { method, impl } of Object.values(createServiceImplSpec(service, implementation).methods)) {
        // People write JSON, so an unknown field is an error and not ignored.
        const jsonOptions = { ignoreUnknownFields: false, textDecoder: requestReader(method.input) };
        router.rpc(method, impl as never, { jsonOptions });
      }
      return this;
    },
  };
}

interface Parts {
  authenticate: Authenticate;
  openCall: OpenCall;
  logger: Logger;
  getHosts: readonly string[];
  compressAnswers: boolean;
}

async function serve(
  rpc: UniversalHandler,
  request: HttpRequest,
  response: HttpResponse,
  { authenticate, openCall, logger, getHosts, compressAnswers }: Parts,
): Promise<void> {
  const peer = authority(request.socket.remoteAddress ?? "", request.socket.remotePort ?? 0);
  const tail: EncodedTail = { bytes: undefined };
  const contextValues = createContextValues().set(peerKey, peer).set(encodedTailKey, tail);
  const method = `${rpc.service.typeName}/${rpc.method.name}`;
  // The message may quote the request, so only the caller gets it, not the log.
  const note = (code: number): void =>
    logger.info({ method, code: codeToString(code), peer }, "rpc refused unread");
  const asked = universalRequestOf(request, response, { compressAnswers, contextValues });
  if (asked === undefined) return void refuseHost(request, response);
  const allowed = httpMethodsOf(rpc.method);
  if (!allowed.includes(asked.method)) return note(refuseHttpMethod(request, response, allowed).code);
  if (asked.method === "GET") {
    const fault = faultOfGet(request, getHosts);
    if (fault !== undefined) return note(refuseGet(request, response, fault).code);
    (response as ServerResponse).setHeader("cache-control", "no-store");
  }
  if (permissionOf(rpc.method) !== "public") {
    const verdict = await authenticate(credentialsOf(request.headers, peerOf(request)));
    if (verdict instanceof Failure) return note(refuseCaller(request, response, verdict).code);
    contextValues.set(callerKey, verdict);
  }
  using call = openCall(asked.signal);
  const answer = await rpc({ ...asked, signal: call.signal });
  if (contextValues.get(reachedKey)) return await sendAnswer(withPlainMessage(answer), response, tail);
  if (answer.body === undefined && answer.trailer === undefined) {
    return note(refuseForm(request, response, answer.status).code);
  }
  const early = await completeEarlyError(answer);
  note(early.error.code);
  return await sendAnswer(withPlainMessage(early.answer), response);
}

/** Returns the other end of a connection. Until the unix socket comes, all of them are of the network. */
function peerOf({ socket }: HttpRequest): Peer {
  return { kind: "network", address: socket.remoteAddress ?? "" };
}

/** True if the connection is gone. For HTTP/1.1 a write after a reset fails before the response is marked as destroyed. */
function isGone(response: HttpResponse): boolean {
  if ("stream" in response) return response.stream.destroyed;
  return response.destroyed || response.socket?.destroyed === true;
}
