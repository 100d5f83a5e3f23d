import { z } from "zod";
import { RoleSchema } from "../../../gen/signalman/v1/account_pb.ts";
import { known } from "./enums.ts";
import { received, ruleAt } from "./rule.ts";

/** Rule for a list of roles. */
export const roles = () =>
  ruleAt(z.array(known(RoleSchema, { unspecified: false })), "each at most once", (list) =>
    list.flatMap((role, index) =>
      list.indexOf(role) < index
        ? [{ path: [index], got: received(RoleSchema.values.find(({ number }) => number === role)?.name) }]
        : [],
    ),
  );
