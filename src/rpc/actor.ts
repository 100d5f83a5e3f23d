import { type DescMessage, type DescMethod, isFieldSet, type Message } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import type { Actor } from "../task/caller.ts";
import type { Call } from "./call.ts";
import { isOpaque } from "./rules/to-plain.ts";

/** Maximum number of field names in one audit event. */
const MOST_FIELDS = 100;

/** Returns the caller, its address, the method and the names of the fields of a call, for its audit event; never values. */
export function actorOf(
  { parent, name, input }: DescMethod,
  request: Message,
  { caller, peer, requestId }: Pick<Call, "caller" | "requestId" | "peer">,
): Actor {
  const fields = fieldsOf(input, request).slice(0, MOST_FIELDS);
  return { caller: caller.name, address: peer, method: `${parent.name}/${name}`, requestId, fields };
}

/** Returns the paths of the fields that are set in the request and, one level deeper, in its messages. */
function fieldsOf(desc: DescMessage, message: Message): string[] {
  return desc.fields
    .filter((field) => isFieldSet(message, field))
    .flatMap((field) => {
      if (field.fieldKind !== "message" || isOpaque(field.message)) return [field.name];
      const inner = reflect(desc, message).get(field);
      return field.message.fields.filter((one) => inner.isSet(one)).map((one) => `${field.name}.${one.name}`);
    });
}
