import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";

/**
 * Makes two errors UNAVAILABLE, as other gRPC clients have them: a connection that was reset during a call, which connect-node
 * reports as ABORTED, and a stream that the server refused before it began, which connect-node may report as INTERNAL.
 */
export const lostIsUnavailable: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: read(response.message) } : response;
  } catch (error) {
    throw asUnavailable(error);
  }
};

async function* read<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw asUnavailable(error);
  }
}

function asUnavailable(error: unknown): unknown {
  if (!(error instanceof ConnectError) || !isLost(error)) return error;
  const unavailable = new ConnectError(
    error.rawMessage,
    Code.Unavailable,
    error.metadata,
    undefined,
    error.cause,
  );
  unavailable.details = error.details;
  return unavailable;
}

function isLost(error: ConnectError): boolean {
  if (error.code !== Code.Aborted && error.code !== Code.Internal) return false;
  for (let e = error.cause; e instanceof Error; e = e.cause) {
    const code = "code" in e ? e.code : undefined;
    if (code === "ECONNRESET" || code === "EPIPE") return true;
    if (code === "ERR_HTTP2_STREAM_ERROR" && e.message.includes("REFUSED_STREAM")) return true;
  }
  return false;
}
