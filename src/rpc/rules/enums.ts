import type { DescEnum } from "@bufbuild/protobuf";
import { z } from "zod";

/**
 * Requires one of the enum's values. Other numbers come from newer clients or from faulty ones. `unspecified`: whether 0 is
 * allowed, with the meaning in the comment of that value.
 */
export function known(desc: DescEnum, options: { unspecified: boolean }) {
  const values = desc.values.filter(({ number }) => options.unspecified || number !== 0);
  const numbers = new Set(values.map(({ number }) => number));
  const names = values.map(({ name }) => name).join(", ");
  return z
    .number()
    .refine((value) => numbers.has(value), { error: ({ input }) => `one of ${names}; got ${input}` });
}
