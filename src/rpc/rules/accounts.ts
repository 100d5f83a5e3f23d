import { z } from "zod";
import { timeout } from "./durations.ts";
import { fullName, ignoredName, nameInFull, segment } from "./names.ts";
import { page } from "./paging.ts";
import { roles } from "./roles.ts";
import { free, rule } from "./rule.ts";
import { textUpTo } from "./values.ts";

const ACCOUNT = "accounts/{account}";
const TOKEN = "accounts/{account}/tokens/{token}";

const account = (name: z.ZodType<string>) =>
  rule(
    z
      .object({
        name,
        description: textUpTo(1000),
        roles: roles(),
        etag: free(),
        create_time: free(),
        update_time: free(),
      })
      .optional(),
    "Required",
    (value) => value !== undefined,
  );

export const ACCOUNT_RULES = {
  "signalman.v1.CreateAccountRequest": z.object({ account_id: segment(), account: account(ignoredName()) }),
  "signalman.v1.GetAccountRequest": z.object({ name: fullName(ACCOUNT) }),
  "signalman.v1.ListAccountsRequest": z.object(page()),
  "signalman.v1.UpdateAccountRequest": z.object({
    account: account(nameInFull(ACCOUNT)),
    update_mask: free(),
  }),
  "signalman.v1.DeleteAccountRequest": z.object({ name: fullName(ACCOUNT), etag: free() }),
  "signalman.v1.CreateTokenRequest": z.object({
    parent: fullName(ACCOUNT),
    token_id: segment(),
    lifetime: timeout(),
  }),
  "signalman.v1.ListTokensRequest": z.object({ parent: fullName(ACCOUNT), ...page() }),
  "signalman.v1.ListAuditEventsRequest": z.object({ filter: free(), ...page() }),
  "signalman.v1.RevokeTokenRequest": z.object({ name: fullName(TOKEN) }),
};
