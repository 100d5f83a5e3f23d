import type { FieldViolation } from "../../task/errors.ts";

/*
 * Limits of an error's size. gRPC sends errors in the trailers: the message percent-encoded, the details in base64, and the
 * message again within the details. Clients refuse large metadata (grpc-java and grpc-core from 8 KiB) with an error that does
 * not tell the cause, so an error takes at most about 6 KiB on the wire.
 */
const TEXT_BYTES = 1024;
const VIOLATION_BYTES = 2560;

/** Cuts a text so that it takes at most about 1 KiB percent-encoded. Unpaired surrogates, which cannot be encoded, are replaced. */
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

/** Returns as many violations as fit, and one that tells how many were left out. */
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
