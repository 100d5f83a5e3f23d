import type { JsonObject } from "@bufbuild/protobuf";
import { z } from "zod";
import type { Owner } from "../../../files/owned.ts";
import { readRegular } from "../../../files/regular-file.ts";
import { maskOutputs, parseExactly } from "../outputs.ts";

const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** Form of the JSON that `output -json` prints. */
const outputsSchema = z.record(
  z.string(),
  z.object({ sensitive: z.boolean().default(false), value: z.unknown() }),
);

/**
 * Reads outputs as fields of the proto3 JSON of a TaskResult; sensitive outputs by name only. Returns no fields if the file is
 * missing or incomplete, as on a full disk.
 */
export function readOutputs(file: string, mask: (text: string) => string, owner?: Owner): JsonObject {
  const entries = Object.entries(parse(file, owner));
  const open = entries.filter(([, { sensitive }]) => !sensitive).map(([name, { value }]) => [name, value]);
  const outputs = maskOutputs(Object.fromEntries(open), mask);
  const names = entries.filter(([, { sensitive }]) => sensitive).map(([name]) => mask(name));
  return { ...(outputs && { outputs }), ...(names.length > 0 && { sensitiveOutputs: names }) };
}

function parse(file: string, owner: Owner | undefined): z.output<typeof outputsSchema> {
  try {
    const text = readRegular(file, { maxBytes: MAX_FILE_BYTES, owner })?.toString("utf8");
    return text ? outputsSchema.parse(parseExactly(text)) : {};
  } catch {
    return {};
  }
}
