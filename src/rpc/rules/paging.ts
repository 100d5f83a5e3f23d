import { free } from "./rule.ts";
import { int } from "./values.ts";

/** Rules for the paging fields of AIP-158. Page tokens are checked in rpc/query-token.ts, which makes them. */
export const page = () => ({ page_size: int("0 to 1000", 0, 1000), page_token: free() });
