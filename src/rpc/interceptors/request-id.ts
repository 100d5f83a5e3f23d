import { randomUUID } from "node:crypto";
import type { Interceptor } from "@connectrpc/connect";
import { ConnectError } from "@connectrpc/connect";
import { requestIdKey } from "./context.ts";
import { guardStream } from "./stream.ts";

export const REQUEST_ID_HEADER = "x-request-id";
const SANE = /^[\w.:/+=@-]{1,128}$/;

/** Returns the id from the caller's header if it can be logged and sent back unchanged, else a new one. */
export function requestIdOf(headers: Headers): string {
  const given = headers.get(REQUEST_ID_HEADER);
  return given !== null && SANE.test(given) ? given : randomUUID();
}

/** Gives each call an id: for the log, for handlers (`requestIdKey`) and, in the headers of the response, for the caller. */
export function requestId(): Interceptor {
  return (next) => async (request) => {
    const id = requestIdOf(request.header);
    request.contextValues.set(requestIdKey, id);
    const stamp = (error: unknown): unknown => {
      if (error instanceof ConnectError) error.metadata.set(REQUEST_ID_HEADER, id);
      return error;
    };
    try {
      const response = await next(request);
      response.header.set(REQUEST_ID_HEADER, id);
      return response.stream
        ? { ...response, message: guardStream(response.message, { failed: stamp }) }
        : response;
    } catch (error) {
      throw stamp(error);
    }
  };
}
