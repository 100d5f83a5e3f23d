import { Code, ConnectError, createContextKey, type Interceptor } from "@connectrpc/connect";
import { encodeEnvelope, readAllBytes, type UniversalServerResponse } from "@connectrpc/connect/protocol";
import { codeToHttpStatus, errorFromJsonBytes, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { findTrailerError, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerParse, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import { withErrorInfo } from "../rpc/errors/errors.ts";
import { asCallerFault } from "../rpc/errors/malformed-request.ts";

/*
 * Errors before the first interceptor. Connect reads and decodes the request of a unary call before it runs interceptors. For
 * an error until then (invalid JSON, a message over the limit, an unknown compression) it writes a response without ErrorInfo,
 * and nothing is logged. This file decodes such a response, adds the ErrorInfo and encodes it again.
 */

/** True once a call has reached the interceptors. */
export const reachedKey = createContextKey(false, { description: "reached the interceptors" });

export function markReached(): Interceptor {
  return (next) => (request) => {
    request.contextValues.set(reachedKey, true);
    return next(request);
  };
}

export interface EarlyError {
  answer: UniversalServerResponse;
  error: ConnectError;
}

/** Returns the response of a call that did not reach the interceptors, with ErrorInfo added, and its error for the log. */
export async function completeEarlyError(answer: UniversalServerResponse): Promise<EarlyError> {
  const header = new Headers(answer.header);
  const type = header.get("content-type") ?? "";
  const body = await bytesOf(answer);
  if (type.startsWith("application/grpc-web")) return grpcWeb(answer, body);
  if (type.startsWith("application/grpc")) return grpc(answer);
  return connect(answer, header, body);
}

function grpc(answer: UniversalServerResponse): EarlyError {
  const trailer = new Headers(answer.trailer);
  const error = completed(findTrailerError(trailer));
  return { answer: { ...answer, body: undefined, trailer: setTrailerStatus(trailer, error) }, error };
}

/** Completes a gRPC-Web response, whose body is a single frame with the trailers. */
function grpcWeb(answer: UniversalServerResponse, body: Uint8Array<ArrayBuffer>): EarlyError {
  const trailer = trailerParse(body.subarray(FRAME_HEAD));
  const error = completed(findTrailerError(trailer));
  const frame = encodeEnvelope(trailerFlag, trailerSerialize(setTrailerStatus(trailer, error)));
  return { answer: { ...answer, body: once(frame) }, error };
}

const FRAME_HEAD = 5;

function connect(
  answer: UniversalServerResponse,
  header: Headers,
  body: Uint8Array<ArrayBuffer>,
): EarlyError {
  const unknown = new ConnectError(`HTTP status ${answer.status}`, Code.Unknown);
  const error = completed(errorFromJsonBytes(body, undefined, unknown));
  const json = errorToJsonBytes(error, undefined);
  header.set("content-length", String(json.byteLength));
  return { answer: { ...answer, status: codeToHttpStatus(error.code), header, body: once(json) }, error };
}

function completed(error: ConnectError | undefined): ConnectError {
  if (error === undefined)
    return withErrorInfo(new ConnectError("The call failed before its handler ran", Code.Unknown));
  return withErrorInfo(asCallerFault(error));
}

async function bytesOf(answer: UniversalServerResponse): Promise<Uint8Array<ArrayBuffer>> {
  if (answer.body === undefined) return new Uint8Array();
  return new Uint8Array(await readAllBytes(answer.body, Number.MAX_SAFE_INTEGER));
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
