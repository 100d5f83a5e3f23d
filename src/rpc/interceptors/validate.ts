import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { type FieldViolation, invalid } from "../../task/errors.ts";

/** Returns a violation for each broken rule of a message; empty if it is valid. */
export type Validator = (desc: DescMessage, message: Message) => FieldViolation[];

/** Refuses requests that break rules of their fields, with an error that names each such field. */
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
