import { clientLeft } from "../rpc/errors/errors.ts";
import type { HttpRequest } from "./port.ts";

/**
 * Yields the body of a request. If the reader stops early, because the call is refused, the rest of the body is discarded, so
 * that the connection stays usable. (Node's default iterator would destroy the request: an HTTP/1.1 connection then delivers
 * no further request, and HTTP/2 counts the rest as invalid frames and closes the connection after a thousand.)
 * @throws CANCELED if the client ends the call before the end of the body, by a reset or a lost connection.
 */
export async function* bodyOf(request: HttpRequest): AsyncGenerator<Uint8Array> {
  try {
    yield* request.iterator({ destroyOnReturn: false });
  } catch (cause) {
    throw clientLeft(cause);
  } finally {
    request.resume();
  }
}
