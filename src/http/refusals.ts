import type { ServerResponse } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { withErrorInfo } from "../rpc/errors/errors.ts";
import { spellMessage } from "./grpc-message.ts";
import type { HttpRequest, HttpResponse } from "./port.ts";

/** No RPC and no page has this path. */
export function refuseUnknown(request: HttpRequest, response: HttpResponse, path: string): ConnectError {
  const sentence = `There is nothing at ${path.slice(0, 200)}`;
  return refuse(request, response, 404, new ConnectError(sentence, Code.Unimplemented));
}

/** The RPC cannot be called by this HTTP method; `allowed` are those by which it can. */
export function refuseHttpMethod(
  request: HttpRequest,
  response: HttpResponse,
  allowed: readonly string[],
): ConnectError {
  (response as ServerResponse).setHeader("allow", allowed.join(", "));
  const sentence = `This RPC is called by ${allowed.join(" or ")}, not by ${request.method}`;
  return refuse(request, response, 405, new ConnectError(sentence, Code.Unimplemented));
}

/** A GET that a page of another site may have caused. */
export function refuseGet(request: HttpRequest, response: HttpResponse, sentence: string): ConnectError {
  return refuse(request, response, 403, new ConnectError(sentence, Code.PermissionDenied));
}

/** Connect refuses a request by its outer form, with a status and nothing else. */
export function refuseForm(request: HttpRequest, response: HttpResponse, status: number): ConnectError {
  return refuse(request, response, status, formError(request, status));
}

/** The request has no host or a broken one, so that it has no URL. */
export function refuseHost(request: HttpRequest, response: HttpResponse): ConnectError {
  return refuse(
    request,
    response,
    400,
    new ConnectError("The Host header names no host", Code.InvalidArgument),
  );
}

function formError(request: HttpRequest, status: number): ConnectError {
  switch (status) {
    case 415: {
      const type = request.headers["content-type"] ?? "nothing";
      return new ConnectError(`${wantedTypes(type)}; got ${type.slice(0, 80)}`, Code.InvalidArgument);
    }
    case 505:
      return new ConnectError("This RPC streams both ways: it needs HTTP/2", Code.Unimplemented);
    default:
      return new ConnectError(`HTTP status ${status}`, Code.Unknown);
  }
}

/** Which content types the protocol has that the caller seems to speak. */
function wantedTypes(got: string): string {
  const protocol = /^application\/grpc(-web)?(?![a-z])/.exec(got)?.[0];
  if (protocol !== undefined) {
    const name = protocol.endsWith("-web") ? "gRPC-Web" : "gRPC";
    return `Send ${name} with \`content-type: ${protocol}\`, ${protocol}+proto or ${protocol}+json`;
  }
  return "Send JSON with `content-type: application/json` (streams: application/connect+json)";
}

/**
 * Answers so that both gRPC clients and a person with curl can read it. gRPC allows an error in the headers alone, but
 * only if they end the stream, which Node's do not: there it goes into the trailers.
 */
function refuse(
  request: HttpRequest,
  response: HttpResponse,
  status: number,
  error: ConnectError,
): ConnectError {
  withErrorInfo(error);
  const type = request.headers["content-type"] ?? "";
  const out = response as ServerResponse; // writeHead of both has the same shape, and types that do not meet
  if (type.startsWith("application/grpc")) {
    const grpcStatus = Object.fromEntries(spellMessage(setTrailerStatus(new Headers(), error)));
    const isWeb = type.startsWith("application/grpc-web");
    out.writeHead(200, { "content-type": type, ...(isWeb && grpcStatus) });
    if (!isWeb) out.addTrailers(grpcStatus);
    out.end();
  } else {
    const body = Buffer.from(errorToJsonBytes(error, undefined));
    out.writeHead(status, { "content-type": "application/json", "content-length": body.length });
    out.end(body);
  }
  return error;
}
