import type { DescEnum } from "@bufbuild/protobuf";
import { z } from "zod";

/**
 * One of an enum's values. Other numbers come from newer clients or from nowhere. `unspecified`: 0 means something,
 * as the comment of that value says.
 */
export function known(desc: DescEnum, options: { unspecified: boolean }) {
  const values = desc.values.filter(({ number }) => options.unspecified || number !== 0);
  const numbers = new Set(values.map(({ number }) => number));
  const names = values.map(({ name }) => name).join(", ");
  return z
    .number()
    .refine((value) => numbers.has(value), { error: ({ input }) => `one of ${names}; got ${input}` });
}
