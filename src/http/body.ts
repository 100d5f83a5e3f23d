import { clientLeft } from "../rpc/errors/errors.ts";
import type { HttpRequest } from "./port.ts";

/**
 * Reads a request's body. A reader that stops early, because the call is refused, does not hold up the connection: what
 * still comes is thrown away. (Node's own iterator destroys the request then, and with HTTP/1.1 the connection never
 * brings another one; with HTTP/2 what comes counts as invalid frames, a thousand of which end the connection.)
 * @throws CANCELED if the client leaves before the end: reset streams and lost connections are no failures of the server.
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
