import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { type FieldViolation, invalid } from "../../task/errors.ts";

/** Everything that is wrong with a message; empty if nothing is. */
export type Validator = (desc: DescMessage, message: Message) => FieldViolation[];

/** Refuses a request that breaks the rules of its fields, naming every field that does. */
export function validate(violationsOf: Validator): Interceptor {
  return (next) => async (request) => {
    const check = <M extends Message>(message: M): M => {
      const violations = violationsOf(request.method.input, message);
      if (violations.length > 0) throw invalid(violations);
      return message;
    };
    if (!request.stream) {
      check(request.message);
      return next(request);
    }
    return next({ ...request, message: checked(request.message, check) });
  };
}

async function* checked<M>(messages: AsyncIterable<M>, check: (message: M) => M): AsyncGenerator<M> {
  for await (const message of messages) yield check(message);
}
