import type { ConnectError, Interceptor } from "@connectrpc/connect";
import { clientLeft, toConnectError } from "../errors/errors.ts";
import { requestIdKey } from "./context.ts";
import { guardStream } from "./stream.ts";

/** Maps whatever is thrown, also in the middle of a stream, to the error that the caller gets (rpc/errors.ts). */
export function errors(isPassing?: (error: unknown) => boolean): Interceptor {
  return (next) => async (request) => {
    const map = (thrown: unknown): ConnectError =>
      toConnectError(thrown, {
        requestId: request.contextValues.get(requestIdKey),
        signal: request.signal,
        isPassing,
      });
    try {
      const response = await next(request);
      return response.stream
        ? { ...response, message: guardStream(response.message, { failed: map, unsent: clientLeft }) }
        : response;
    } catch (thrown) {
      throw map(thrown);
    }
  };
}
