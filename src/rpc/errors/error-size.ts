import type { FieldViolation } from "../../task/errors.ts";

/*
 * Over gRPC an error travels in the trailers: the message percent-encoded, the details in base64, and the message
 * in the details once more. Clients refuse large metadata (grpc-java and grpc-core from 8 KiB), and what they report
 * then says nothing. So an error is kept to about 6 KiB on the wire.
 */
const TEXT_BYTES = 1024;
const VIOLATION_BYTES = 2560;

/** Cuts a text so that it percent-encodes to at most about a KiB. Half surrogate pairs, which nobody can encode, go. */
export function fitText(text: string): string {
  const whole = text.slice(0, TEXT_BYTES).toWellFormed();
  if (whole.length === text.length && encodedLength(whole) <= TEXT_BYTES) return whole;
  let kept = "";
  let size = encodedLength("…");
  for (const character of whole) {
    size += encodedLength(character);
    if (size > TEXT_BYTES) break;
    kept += character;
  }
  return `${kept}…`;
}

/** The first violations, as many as fit, and a last one that says how many more there are. */
export function fitViolations(violations: readonly FieldViolation[]): FieldViolation[] {
  let size = 0;
  const kept: FieldViolation[] = [];
  for (const { field, description } of violations) {
    const fitted = { field: fitText(field), description: fitText(description) };
    size += Buffer.byteLength(fitted.field) + Buffer.byteLength(fitted.description) + 8;
    if (size > VIOLATION_BYTES && kept.length > 0) break;
    kept.push(fitted);
  }
  const more = violations.length - kept.length;
  if (more > 0) kept.push({ field: "", description: `and ${more} more, left out here` });
  return kept;
}

function encodedLength(text: string): number {
  return encodeURIComponent(text).length;
}
