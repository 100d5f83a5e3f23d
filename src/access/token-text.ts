import { createHash, randomBytes } from "node:crypto";

/** Beginning of the text of every token of an account. */
const MARK = "sgm_";
const RANDOM_BYTES = 32;
const FORM = new RegExp(`^${MARK}[\\w-]{43}$`);

/** Returns the text of a new token of an account: the mark, and 256 random bits in base64url. */
export const newTokenText = (): string => `${MARK}${randomBytes(RANDOM_BYTES).toString("base64url")}`;

/** True for a text that begins like the tokens of accounts; root tokens do not begin like this. */
export const isMarked = (text: string): boolean => text.startsWith(MARK);

/** True for a text that has the form of an account's token. */
export const isTokenText = (text: string): boolean => FORM.test(text);

/** SHA-256 of a token's text, by which tokens are stored and compared. */
export const tokenHash = (text: string): Buffer => createHash("sha256").update(text).digest();
