import { Code, ConnectError } from "@connectrpc/connect";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const BRACKET = 0x5b;
const BRACE = 0x7b;

/** Most values of a JSON request: parsed, 4 MiB of small values take a hundred times as much memory, and seconds. */
const MOST_VALUES = 10_000;

/**
 * Counts the values (scalars, lists and objects) of a JSON text that comes in pieces, without parsing it: a value begins the
 * text, or follows a comma, or is the first of a list or an object. Empty lists and objects count twice.
 */
export class ValueCounter {
  #count = 1;
  #isInString = false;
  #isEscaped = false;

  get count(): number {
    return this.#count;
  }

  /** Counts the values that begin in the next piece of the text, which is UTF-8. */
  add(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at];
      if (this.#isEscaped) this.#isEscaped = false;
      else if (this.#isInString) {
        this.#isEscaped = byte === BACKSLASH;
        this.#isInString = byte !== QUOTE;
      } else if (byte === QUOTE) this.#isInString = true;
      else if (byte === COMMA || byte === BRACKET || byte === BRACE) this.#count++;
    }
  }

  /** @throws ConnectError INVALID_ARGUMENT if a request may not have that many */
  assertFew(): void {
    if (this.#count <= MOST_VALUES) return;
    throw new ConnectError(
      `The request has too many values; a JSON request has at most ${MOST_VALUES}. Send less, or call by gRPC`,
      Code.InvalidArgument,
    );
  }
}
