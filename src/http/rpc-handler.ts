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
import { peerKey } from "../rpc/interceptors/context.ts";
import { requestReader } from "../rpc/json/request-reader.ts";
import { type OpenCall, trackCalls } from "./calls.ts";
import { completeEarlyError, markReached, reachedKey } from "./early-error.ts";
import { faultOfGet, httpMethodsOf } from "./get.ts";
import { withPlainMessage } from "./grpc-message.ts";
import { authority } from "./listen-error.ts";
import type { Handler, HttpRequest, HttpResponse } from "./port.ts";
import { refuseForm, refuseGet, refuseHost, refuseHttpMethod, refuseUnknown } from "./refusals.ts";
import { sendAnswer } from "./send.ts";
import { universalRequestOf } from "./universal-request.ts";
import { type EncodedTail, encodedTailKey, takeEncodedFields } from "./zero-copy.ts";

const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

export interface RpcHandlerOptions {
  routes: (router: ConnectRouter) => unknown;
  /** Outermost first; those of rpc/interceptors/all.ts outside tests. */
  interceptors: Interceptor[];
  /** Once aborted, for whatever reason, calls end with UNAVAILABLE and RetryInfo as soon as their handlers let go. */
  shutdownSignal: AbortSignal;
  logger: Logger;
  /** Plain HTTP by path, such as `/healthz`. */
  pages?: ReadonlyMap<string, Handler>;
  /** Host names under which reads are answered by GET, beside localhost and IP addresses. */
  getHosts?: readonly string[];
  /**
   * Compress answers by gzip for clients that offer it. Not by default: it costs more than it saves on a local network
   * (measured). Compressed requests are taken in any case.
   */
  compressAnswers?: boolean;
}

/**
 * Serves RPCs over gRPC, gRPC-Web and Connect. Stands in for `connectNodeAdapter`, which lets a bad Host header end the
 * process, prints to the console, and has no place for the errors that reach no interceptor.
 */
export function rpcHandler(options: RpcHandlerOptions): Handler {
  const rpcs = rpcsByPath(options);
  const parts: Parts = {
    openCall: trackCalls(options.shutdownSignal),
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
        if (!isGone(response)) options.logger.error({ err: error, path }, "an answer broke off");
        response.destroy();
      });
    }
  };
}

function rpcsByPath(options: RpcHandlerOptions): Map<string, UniversalHandler> {
  // Of a compressed message nothing can be sent apart.
  const splicing = options.compressAnswers ? [] : [takeEncodedFields()];
  const router = createConnectRouter({
    interceptors: [markReached(), ...splicing, ...options.interceptors],
    readMaxBytes: MAX_REQUEST_BYTES,
    acceptCompression: [compressionGzip],
  });
  options.routes(withJsonReaders(router));
  return new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
}

/** A router that gives each method a reader of its own JSON. */
function withJsonReaders(router: ConnectRouter): ConnectRouter {
  return {
    ...router,
    service(service, implementation) {
      for (const { method, impl } of Object.values(createServiceImplSpec(service, implementation).methods)) {
        // JSON comes from people: a misspelt field is an error, not something to pass over.
        const jsonOptions = { ignoreUnknownFields: false, textDecoder: requestReader(method.input) };
        router.rpc(method, impl as never, { jsonOptions });
      }
      return this;
    },
  };
}

interface Parts {
  openCall: OpenCall;
  logger: Logger;
  getHosts: readonly string[];
  compressAnswers: boolean;
}

async function serve(
  rpc: UniversalHandler,
  request: HttpRequest,
  response: HttpResponse,
  { openCall, logger, getHosts, compressAnswers }: Parts,
): Promise<void> {
  const peer = authority(request.socket.remoteAddress ?? "", request.socket.remotePort ?? 0);
  const tail: EncodedTail = { bytes: undefined };
  const contextValues = createContextValues().set(peerKey, peer).set(encodedTailKey, tail);
  const method = `${rpc.service.typeName}/${rpc.method.name}`;
  // The message may quote the request: it goes to the caller, not to the log.
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

/** A write to a connection of HTTP/1.1 that was reset fails before the response hears of it. */
function isGone(response: HttpResponse): boolean {
  if ("stream" in response) return response.stream.destroyed;
  return response.destroyed || response.socket?.destroyed === true;
}
