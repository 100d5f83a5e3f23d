import type { ServerResponse } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import {
  codeToHttpStatus,
  createEndStreamSerialization,
  endStreamFlag,
  errorToJsonBytes,
} from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { errorInfo } from "../rpc/errors/error-details.ts";
import { failureError, withErrorInfo } from "../rpc/errors/errors.ts";
import { REQUEST_ID_HEADER, requestIdOf } from "../rpc/interceptors/request-id.ts";
import type { Failure } from "../task/errors.ts";
import type { HttpRequest, HttpResponse } from "./exchange.ts";
import { spellMessage } from "./grpc-message.ts";

/** Refuses a path that names neither an RPC nor a page. */
export function refuseUnknown(request: HttpRequest, response: HttpResponse, path: string): ConnectError {
  const sentence = `There is nothing at ${path.slice(0, 200)}`;
  return refuse(request, response, 404, new ConnectError(sentence, Code.Unimplemented));
}

/** Refuses a call by its headers, before its body is read. */
export function refuseCaller(request: HttpRequest, response: HttpResponse, failure: Failure): ConnectError {
  const error = failureError(failure);
  const out = response as ServerResponse;
  const id = request.headers[REQUEST_ID_HEADER];
  out.setHeader(
    REQUEST_ID_HEADER,
    requestIdOf(new Headers(id === undefined ? [] : [[REQUEST_ID_HEADER, `${id}`]])),
  );
  if (error.code === Code.Unauthenticated) out.setHeader("www-authenticate", "Bearer");
  return refuse(request, response, codeToHttpStatus(error.code), error);
}

/** Refuses an HTTP method that the RPC does not support. `allowed`: the methods that it supports. */
export function refuseHttpMethod(
  request: HttpRequest,
  response: HttpResponse,
  allowed: readonly string[],
): ConnectError {
  (response as ServerResponse).setHeader("allow", allowed.join(", "));
  const sentence = `Unsupported HTTP method ${request.method}; call this RPC by ${allowed.join(" or ")}`;
  return refuse(request, response, 405, new ConnectError(sentence, Code.Unimplemented));
}

/** Refuses a call under a host name that is not the server's. */
export function refuseUnknownHost(request: HttpRequest, response: HttpResponse, fault: string): ConnectError {
  const sentence = `Calls under an unknown host name are refused; ${fault}; name it in --allowed-hosts`;
  const error = new ConnectError(sentence, Code.PermissionDenied);
  error.details.push(errorInfo("HOST_REFUSED"));
  return refuse(request, response, 403, error);
}

/** Refuses a GET that a page of another site may have caused. */
export function refuseGet(request: HttpRequest, response: HttpResponse, sentence: string): ConnectError {
  return refuse(request, response, 403, new ConnectError(sentence, Code.PermissionDenied));
}

/** Completes a refusal of Connect that has a status and nothing else, such as 415 for an unknown content type. */
export function refuseForm(request: HttpRequest, response: HttpResponse, status: number): ConnectError {
  return refuse(request, response, status, formError(request, status));
}

/** Refuses a request without a valid host, which therefore has no URL. */
export function refuseHost(request: HttpRequest, response: HttpResponse): ConnectError {
  return refuse(
    request,
    response,
    400,
    new ConnectError(
      "The request has no valid host; name one in the header Host or :authority",
      Code.InvalidArgument,
    ),
  );
}

function formError(request: HttpRequest, status: number): ConnectError {
  switch (status) {
    case 415: {
      const type = request.headers["content-type"] ?? "nothing";
      return new ConnectError(
        `Unsupported content type ${type.slice(0, 80)}; ${wantedTypes(type)}`,
        Code.InvalidArgument,
      );
    }
    case 505:
      return new ConnectError("This RPC streams in both directions; call it over HTTP/2", Code.Unimplemented);
    default:
      return new ConnectError(`HTTP status ${status}`, Code.Unknown);
  }
}

/** Returns the content types of the protocol that the caller seems to use. */
function wantedTypes(got: string): string {
  const protocol = /^application\/grpc(-web)?(?![a-z])/.exec(got)?.[0];
  if (protocol !== undefined) {
    const name = protocol.endsWith("-web") ? "gRPC-Web" : "gRPC";
    return `send ${name} with \`content-type: ${protocol}\`, ${protocol}+proto or ${protocol}+json`;
  }
  return "send JSON with `content-type: application/json` (streams: application/connect+json)";
}

const endStreams = createEndStreamSerialization(undefined);

/**
 * Sends an error in the caller's protocol: as gRPC or gRPC-Web status, as the last message of a Connect stream, otherwise as
 * JSON. gRPC allows a status in the headers only if they end the stream, which Node's headers do not, so it is sent in the
 * trailers.
 */
function refuse(
  request: HttpRequest,
  response: HttpResponse,
  status: number,
  error: ConnectError,
): ConnectError {
  withErrorInfo(error);
  const type = request.headers["content-type"] ?? "";
  const out = response as ServerResponse; // writeHead of HTTP/1.1 and HTTP/2 takes the same arguments, but the types differ
  if (type.startsWith("application/grpc")) {
    const grpcStatus = Object.fromEntries(spellMessage(setTrailerStatus(new Headers(), error)));
    const isWeb = type.startsWith("application/grpc-web");
    out.writeHead(200, { "content-type": type, ...(isWeb && grpcStatus) });
    if (!isWeb) out.addTrailers(grpcStatus);
    out.end();
  } else if (type.startsWith("application/connect+")) {
    const end = endStreams.serialize({ metadata: new Headers(), error });
    out.writeHead(200, { "content-type": type });
    out.end(Buffer.from(encodeEnvelope(endStreamFlag, end)));
  } else {
    const body = Buffer.from(errorToJsonBytes(error, undefined));
    out.writeHead(status, { "content-type": "application/json", "content-length": body.length });
    out.end(body);
  }
  return error;
}
