import type { ServerResponse } from "node:http";
import { ConnectError, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import type { Logger } from "pino";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { type Credentials, credentialsOf } from "../access/authenticator.ts";
import { callerKey, peerKey } from "../rpc/interceptors/context.ts";
import { permissionOf } from "../rpc/permissions.ts";
import { ANONYMOUS, type Caller } from "../task/caller.ts";
import { Failure } from "../task/errors.ts";
import { createRefusalLog, type Refusal } from "../telemetry/refusal-log.ts";
import { BODY_LIMITS, type BodyLimits, bodyReader, type ReadBody } from "./body.ts";
import { CALL_LIMITS, type CallLimits, type CallShare, limitCalls, type OpenCalls } from "./call-limits.ts";
import { type OpenCall, trackCalls } from "./calls.ts";
import type { Connection } from "./connection.ts";
import { completeEarlyError, reachedKey } from "./early-error.ts";
import type { Handler, HttpRequest, HttpResponse } from "./exchange.ts";
import { faultOfGet, hostOf, httpMethodsOf } from "./get.ts";
import { withPlainMessage } from "./grpc-message.ts";
import { faultOfHost, type Hosts } from "./hosts.ts";
import {
  refuseCaller,
  refuseForm,
  refuseGet,
  refuseHost,
  refuseHttpMethod,
  refuseUnknown,
  refuseUnknownHost,
} from "./refusals.ts";
import { mostBytesOf, type RpcOptions, rpcsByPath } from "./rpcs.ts";
import { sendAnswer } from "./send.ts";
import { limitAge, limitPending, STREAM_LIMITS, type StreamLimits } from "./stream-limits.ts";
import { universalRequestOf } from "./universal-request.ts";
import { limitValues } from "./value-limit.ts";
import { type EncodedTail, encodedTailKey } from "./zero-copy.ts";

type Authenticate = (given: Credentials) => Promise<Caller | Failure>;

export interface RpcHandlerOptions extends RpcOptions {
  /** Tells who the caller is, from the headers alone. The body of a refused call is not read. */
  authenticate: Authenticate;
  /** Once aborted, all calls are aborted and end with UNAVAILABLE and RetryInfo as soon as their handlers return. */
  shutdownSignal: AbortSignal;
  logger: Logger;
  /** Handlers of plain HTTP by path, such as `/healthz`. */
  pages?: ReadonlyMap<string, Handler>;
  /** Host names under which the server may be called. Default: not checked for POST, and no names for GET. */
  hosts?: Hosts;
  bodyLimits?: BodyLimits;
  callLimits?: Partial<CallLimits>;
  streamLimits?: Partial<StreamLimits>;
  /** Called for each call that is refused before its handler. */
  refused?: (refusal: Refusal) => void;
}

/**
 * Returns the handler of RPCs over gRPC, gRPC-Web and Connect. Replaces `connectNodeAdapter`, in which an invalid Host header
 * ends the process, errors are printed to the console, and errors before the first interceptor cannot be completed.
 */
export function rpcHandler(options: RpcHandlerOptions): Handler {
  const rpcs = rpcsByPath(options);
  const parts: Parts = {
    openCall: trackCalls(options.shutdownSignal),
    openCalls: limitCalls({ ...CALL_LIMITS, ...options.callLimits }),
    authenticate: options.authenticate,
    hosts: options.hosts ?? { checked: false, names: [] },
    refused: options.refused ?? createRefusalLog(options.logger),
    readBody: bodyReader(options.bodyLimits ?? BODY_LIMITS),
    streamLimits: { ...STREAM_LIMITS, ...options.streamLimits },
    compressAnswers: options.compressAnswers ?? false,
  };
  return (request, response, connection) => {
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    const page = options.pages?.get(path);
    const rpc = rpcs.get(path);
    if (page !== undefined) page(request, response, connection);
    else if (rpc === undefined) refuseUnknown(request, response, path);
    else {
      serve(rpc, { request, response, connection }, parts).catch((error) => {
        if (!isGone(response)) options.logger.error({ err: error, path }, "a response could not be sent");
        response.destroy();
      });
    }
  };
}

interface Parts {
  authenticate: Authenticate;
  openCall: OpenCall;
  openCalls: OpenCalls;
  hosts: Hosts;
  refused: (refusal: Refusal) => void;
  readBody: ReadBody;
  streamLimits: StreamLimits;
  compressAnswers: boolean;
}

interface Exchange {
  request: HttpRequest;
  response: HttpResponse;
  connection: Connection;
}

async function serve(rpc: UniversalHandler, exchange: Exchange, parts: Parts): Promise<void> {
  const { request, response, connection } = exchange;
  const note = (error: ConnectError): void =>
    parts.refused({
      // The message may quote the request, so only the caller gets it, not the log.
      reason: error.findDetails(ErrorInfoSchema)[0]?.reason ?? "",
      method: `${rpc.service.typeName}/${rpc.method.name}`,
      code: codeToString(error.code),
      peer: connection.name,
    });
  if (connection.peer.kind === "socket") nameHost(request);
  const verdict = await admit(rpc, exchange, parts);
  if (verdict instanceof ConnectError) return note(verdict);
  if (isGone(response)) return; // the client has left meanwhile
  const entered = enter(rpc, exchange, verdict, parts.openCalls);
  if (entered instanceof Failure) return note(refuseCaller(request, response, entered));
  using share = entered;
  const tail: EncodedTail = { bytes: undefined };
  const contextValues = createContextValues()
    .set(peerKey, connection.name)
    .set(callerKey, verdict)
    .set(encodedTailKey, tail);
  const asked = universalRequestOf(request, response, {
    compressAnswers: parts.compressAnswers,
    contextValues,
    readBody: () => parts.readBody(request, share),
  });
  if (asked === undefined) return void refuseHost(request, response);
  const { header } = asked;
  const body = limitValues(asked.body, { method: rpc.method, header, mostBytes: mostBytesOf(rpc.method) });
  using call = parts.openCall(asked.signal);
  // Streams of health checks and of reflection have no resume token.
  const isWatch = rpc.method.methodKind === "server_streaming" && permissionOf(rpc.method) !== "public";
  using _age = isWatch ? limitAge(call, parts.streamLimits) : undefined;
  using pace = isWatch ? limitPending(call, parts.streamLimits) : undefined;
  const answer = await rpc({ ...asked, body, signal: call.signal });
  if (contextValues.get(reachedKey))
    return await sendAnswer(withPlainMessage(answer), response, { tail, pace });
  if (answer.body === undefined && answer.trailer === undefined) {
    return note(refuseForm(request, response, answer.status));
  }
  const early = await completeEarlyError(answer);
  note(early.error);
  return await sendAnswer(withPlainMessage(early.answer), response);
}

/** Returns the caller, told from the headers of the request, or the error by which the call was refused. */
async function admit(
  rpc: UniversalHandler,
  { request, response, connection }: Exchange,
  { authenticate, hosts }: Parts,
): Promise<Caller | ConnectError> {
  const allowed = httpMethodsOf(rpc.method);
  if (!allowed.includes(request.method ?? "")) return refuseHttpMethod(request, response, allowed);
  const isPublic = permissionOf(rpc.method) === "public";
  const isLocal = connection.peer.kind === "socket";
  if (hosts.checked && !isPublic && !isLocal) {
    const fault = faultOfHost(hostOf(request), hosts.names);
    if (fault !== undefined) return refuseUnknownHost(request, response, fault);
  }
  if (request.method === "GET") {
    const fault = faultOfGet(request, hosts.names);
    if (fault !== undefined) return refuseGet(request, response, fault);
    (response as ServerResponse).setHeader("cache-control", "no-store");
  }
  if (isPublic) return ANONYMOUS;
  const verdict = await authenticate(credentialsOf(request.headers, connection.peer)).catch(cannotTell);
  if (verdict instanceof Failure) return refuseCaller(request, response, verdict);
  connection.trust(verdict.name);
  return verdict;
}

/** Counts a call, by the caller of its connection if the call itself needs none. */
function enter(
  rpc: UniversalHandler,
  { response, connection }: Exchange,
  caller: Caller,
  openCalls: OpenCalls,
): CallShare | Failure {
  const isPublic = permissionOf(rpc.method) === "public";
  const isLocal = connection.peer.kind === "socket";
  const owner = isPublic || isLocal ? connection.owner : caller.name;
  return owner === undefined ? openCalls.enterUnknown(connection, response) : openCalls.enter(owner);
}

/** Returns the refusal of a call whose token could not be looked up, for example because the database is away. */
function cannotTell(cause: unknown): Failure {
  const sentence = "The server cannot check the token, since it cannot reach its database; try again";
  return new Failure("unavailable", sentence, { reason: "UNAVAILABLE", cause });
}

/** Gives a request over the unix socket a host: some clients send none there, others the path of the socket. */
function nameHost({ headers }: HttpRequest): void {
  if (headers[":authority"] !== undefined) headers[":authority"] = "localhost";
  else headers.host = "localhost";
}

/** True if the connection is gone. For HTTP/1.1 a write after a reset fails before the response is marked as destroyed. */
function isGone(response: HttpResponse): boolean {
  if ("stream" in response) return response.stream.destroyed;
  return response.destroyed || response.socket?.destroyed === true;
}
