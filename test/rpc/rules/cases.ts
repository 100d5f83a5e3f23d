import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { violationsOf } from "../../../src/rpc/rules/check.ts";

/** Fields of a message, as a test writes them. */
export type Init<D extends DescMessage> = Exclude<MessageInitShape<D>, MessageShape<D>>;

/** `field: description` of each violation of a request. */
export function violations<D extends DescMessage>(desc: D, init: MessageInitShape<D>): string[] {
  return violationsOf(desc, create(desc, init)).map(({ field, description }) => `${field}: ${description}`);
}
