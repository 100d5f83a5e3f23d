import { free } from "./rule.ts";
import { int } from "./values.ts";

/** The fields of AIP-158. A token is judged by who made it (rpc/query-token.ts). */
export const page = () => ({ page_size: int("0 to 1000", 0, 1000), page_token: free() });
