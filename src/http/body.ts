import type { HttpRequest } from "./port.ts";

/**
 * A request's body. Whoever stops reading it early, because the call is refused, does not hold up the connection: what
 * still comes is thrown away. (Node's own iterator destroys the request then, and with HTTP/1.1 the connection never
 * brings another one; with HTTP/2 what comes counts as invalid frames, a thousand of which end the connection.)
 */
export async function* bodyOf(request: HttpRequest): AsyncGenerator<Uint8Array> {
  try {
    yield* request.iterator({ destroyOnReturn: false });
  } finally {
    request.resume();
  }
}
