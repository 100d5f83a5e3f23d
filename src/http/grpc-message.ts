import type { UniversalServerResponse } from "@connectrpc/connect/protocol";

const HEADER = "grpc-message";

/**
 * The answer with its error message spelt as gRPC wants it: only what is not printable ASCII, and the percent sign, is
 * encoded (PROTOCOL-HTTP2.md, "Percent-Encoded"). Connect encodes all that a URL could mistake, and grpc-js, which decodes
 * by `decodeURI`, then shows `There is no projects%2Fdemo`. The trailers are complete only once the body is: hence a getter.
 */
export function withPlainMessage(answer: UniversalServerResponse): UniversalServerResponse {
  const { trailer } = answer;
  if (trailer === undefined) return answer;
  return {
    ...answer,
    get trailer() {
      return spellMessage(trailer);
    },
  };
}

export function spellMessage(trailer: Headers): Headers {
  const message = trailer.get(HEADER);
  if (message !== null) trailer.set(HEADER, spell(decodeURIComponent(message)));
  return trailer;
}

function spell(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]/gu, encodeURIComponent);
}
