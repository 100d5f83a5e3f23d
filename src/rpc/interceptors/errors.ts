import { ConnectError, type Interceptor } from "@connectrpc/connect";
import { clientLeft, toConnectError } from "../errors/errors.ts";
import { asCallerFault } from "../errors/malformed-request.ts";
import { requestIdKey } from "./context.ts";
import { guardStream } from "./stream.ts";

/**
 * Maps everything that is thrown, also within a stream, to the error that the caller gets (rpc/errors/errors.ts). A call whose
 * deadline has passed, or that the caller has ended, does not reach its handler.
 */
export function errors(isPassing?: (error: unknown) => boolean): Interceptor {
  return (next) => async (request) => {
    const map = (thrown: unknown): ConnectError =>
      toConnectError(thrown, {
        requestId: request.contextValues.get(requestIdKey),
        signal: request.signal,
        isPassing,
      });
    try {
      request.signal.throwIfAborted();
      const response = await next(
        request.stream ? { ...request, message: readable(request.message) } : request,
      );
      return response.stream
        ? { ...response, message: guardStream(response.message, { failed: map, unsent: clientLeft }) }
        : response;
    } catch (thrown) {
      throw map(thrown);
    }
  };
}

/** Marks errors from reading the caller's messages as the caller's; outside they look like errors of the handler. */
function readable<M>(messages: AsyncIterable<M>): AsyncIterable<M> {
  return guardStream(messages, {
    failed: (error) => (error instanceof ConnectError ? asCallerFault(error) : error),
  });
}
