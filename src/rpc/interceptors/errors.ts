import { ConnectError, type Interceptor } from "@connectrpc/connect";
import { clientLeft, toConnectError } from "../errors/errors.ts";
import { blameCaller } from "../errors/malformed-request.ts";
import { requestIdKey } from "./context.ts";
import { guardStream } from "./stream.ts";

/**
 * Maps whatever is thrown, also in the middle of a stream, to the error that the caller gets (rpc/errors/errors.ts). A call
 * that is over before it begins, by its deadline or because its caller has left, does no work.
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

/** Only here is it known whether the caller's messages or the handler failed. */
function readable<M>(messages: AsyncIterable<M>): AsyncIterable<M> {
  return guardStream(messages, {
    failed: (error) => (error instanceof ConnectError ? blameCaller(error) : error),
  });
}
