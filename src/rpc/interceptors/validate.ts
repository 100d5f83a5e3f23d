import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Interceptor, UnaryRequest } from "@connectrpc/connect";
import { Failure, type FieldViolation, invalid } from "../../task/errors.ts";
import { actorOf } from "../actor.ts";
import { isRead } from "../permissions.ts";
import { type RecordRefusal, refusalOf, targetOfInvalid } from "../refusals.ts";
import { callerKey, peerKey, requestIdKey } from "./context.ts";

/** Returns a violation for each broken rule of a message; empty if it is valid. */
export type Validator = (desc: DescMessage, message: Message) => FieldViolation[];

/**
 * Refuses requests that break rules of their fields, with an error that names each such field. Refusals of methods that change
 * something are recorded before the caller learns of them.
 */
export function validate(violationsOf: Validator, recordRefusal: RecordRefusal): Interceptor {
  return (next) => async (request) => {
    const check = <M extends Message>(message: M): M => {
      const violations = violationsOf(request.method.input, message);
      if (violations.length > 0) throw invalid(violations);
      return message;
    };
    if (!request.stream) {
      try {
        check(request.message);
      } catch (error) {
        if (error instanceof Failure && !isRead(request.method)) await record(request, error);
        throw error;
      }
      return next(request);
    }
    return next({ ...request, message: checked(request.message, check) });
  };

  async function record({ method, message, contextValues }: UnaryRequest, failure: Failure): Promise<void> {
    const actor = actorOf(method, message, {
      caller: contextValues.get(callerKey),
      peer: contextValues.get(peerKey),
      requestId: contextValues.get(requestIdKey),
    });
    await recordRefusal(actor, refusalOf(failure, targetOfInvalid(method, message)));
  }
}

async function* checked<M>(messages: AsyncIterable<M>, check: (message: M) => M): AsyncGenerator<M> {
  for await (const message of messages) yield check(message);
}
