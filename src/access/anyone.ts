import { ANONYMOUS } from "../task/caller.ts";
import { type Authenticator, refused } from "./authenticator.ts";

const LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/;

/**
 * Accepts every program on this machine, for a server with --no-auth, whose port is on a loopback address
 * (http/safe-listen.ts). Refuses calls from web pages of other sites: a page of any site could otherwise call the port through
 * the user's browser and run programs here. Browsers send the page's origin with every POST (Fetch standard).
 */
export const anyone: Authenticator = async ({ headers: { origin } }) => {
  if (origin === undefined || LOOPBACK_ORIGIN.test(origin)) return ANONYMOUS;
  return refused(
    "ORIGIN_REFUSED",
    `Web pages of ${origin.slice(0, 80)} may not call a server without a token; give it a token and name them in --allowed-origins`,
  );
};
