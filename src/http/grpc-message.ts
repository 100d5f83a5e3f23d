import type { UniversalServerResponse } from "@connectrpc/connect/protocol";

const HEADER = "grpc-message";

/**
 * Returns a response whose error message is encoded as gRPC requires: only the percent sign and characters outside printable
 * ASCII are percent-encoded (PROTOCOL-HTTP2.md, "Percent-Encoded"). Connect encodes all reserved characters of URLs, and
 * grpc-js, which decodes with `decodeURI`, then shows `There is no projects%2Fdemo`. `trailer` is a getter because the trailers
 * are complete only after the body.
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
