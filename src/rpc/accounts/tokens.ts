import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type CreateTokenRequest,
  CreateTokenResponseSchema,
  type ListTokensRequest,
  ListTokensResponseSchema,
  type RevokeTokenRequest,
  RevokeTokenResponseSchema,
  type Token,
  TokenSchema,
} from "../../../gen/signalman/v1/token_pb.ts";
import { newTokenText, tokenHash } from "../../access/token-text.ts";
import type { TokenKey, TokenRow } from "../../store/accounts/tokens.ts";
import type { Actor } from "../../task/caller.ts";
import { msFromDuration } from "../../task/duration.ts";
import type { Call } from "../call.ts";
import { accountName } from "../names.ts";
import { pageOf, pageSize, readPageToken } from "../query-token.ts";
import { patternOf } from "../rules/names.ts";
import { idOf } from "./accounts.ts";

export interface TokensDeps {
  createToken(key: TokenKey, token: { hash: Buffer; lifetimeMs: number }, actor: Actor): Promise<TokenRow>;
  listTokens(page: { account: string; after: string; limit: number }): Promise<TokenRow[]>;
  revokeToken(key: TokenKey, actor: Actor): Promise<TokenRow>;
}

const DEFAULT_LIFETIME_MS = 90 * 86_400_000;
const NAME = patternOf("{name}");

/** The methods of an account's tokens. */
export const tokenMethods = {
  async createToken(deps: TokensDeps, { parent, tokenId, lifetime }: CreateTokenRequest, { actor }: Call) {
    const text = newTokenText();
    const row = await deps.createToken(
      { account: idOf(parent), name: tokenId },
      { hash: tokenHash(text), lifetimeMs: msFromDuration(lifetime) ?? DEFAULT_LIFETIME_MS },
      actor,
    );
    return create(CreateTokenResponseSchema, { token: tokenMessage(row), text });
  },
  async listTokens(deps: TokensDeps, { parent, pageSize: asked, pageToken }: ListTokensRequest) {
    const limit = pageSize(asked);
    const query = ["tokens", parent];
    const after = readPageToken(pageToken, query, NAME);
    const rows = await deps.listTokens({ account: idOf(parent), after, limit: limit + 1 });
    const { page, nextPageToken } = pageOf(rows, limit, query, ({ name }) => name);
    return create(ListTokensResponseSchema, { tokens: page.map(tokenMessage), nextPageToken });
  },
  async revokeToken(deps: TokensDeps, { name }: RevokeTokenRequest, { actor }: Call) {
    const row = await deps.revokeToken({ account: idOf(name), name: name.split("/")[3] ?? "" }, actor);
    return create(RevokeTokenResponseSchema, { token: tokenMessage(row) });
  },
};

function tokenMessage({ account, name, ...times }: TokenRow): Token {
  const at = (time: Date | null) => (time ? timestampFromDate(time) : undefined);
  return create(TokenSchema, {
    name: `${accountName(account)}/tokens/${name}`,
    createTime: at(times.createTime),
    expireTime: at(times.expireTime),
    revokeTime: at(times.revokeTime),
    lastUseTime: at(times.lastUseTime),
  });
}
