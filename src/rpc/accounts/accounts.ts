import { clone, create, fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Account,
  AccountSchema,
  type CreateAccountRequest,
  CreateAccountResponseSchema,
  type DeleteAccountRequest,
  DeleteAccountResponseSchema,
  type GetAccountRequest,
  GetAccountResponseSchema,
  type ListAccountsRequest,
  ListAccountsResponseSchema,
  type UpdateAccountRequest,
  UpdateAccountResponseSchema,
} from "../../../gen/signalman/v1/account_pb.ts";
import type { Resource } from "../../store/catalog/kinds.ts";
import type { Actor } from "../../task/caller.ts";
import type { Call } from "../call.ts";
import { assertEtag, etagOf } from "../catalog/etag.ts";
import { mergeMasked } from "../catalog/mask.ts";
import { accountName } from "../names.ts";
import { pageOf, pageSize, readPageToken } from "../query-token.ts";
import { patternOf } from "../rules/names.ts";

export interface AccountsDeps {
  createAccount(name: string, spec: JsonObject, actor: Actor): Promise<Resource>;
  getAccount(name: string): Promise<Resource>;
  listAccounts(page: { after: string; limit: number }): Promise<Resource[]>;
  updateAccount(name: string, change: (stored: Resource) => JsonObject, actor: Actor): Promise<Resource>;
  deleteAccount(name: string, check: (stored: Resource) => void, actor: Actor): Promise<void>;
}

const NAME = patternOf("{name}");
const QUERY = ["accounts"];

/** The standard methods of accounts. */
export const accountMethods = {
  async createAccount(deps: AccountsDeps, { accountId, account }: CreateAccountRequest, { actor }: Call) {
    const row = await deps.createAccount(accountId, specOf(account ?? create(AccountSchema)), actor);
    return create(CreateAccountResponseSchema, { account: accountMessage(row) });
  },
  async getAccount(deps: AccountsDeps, { name }: GetAccountRequest) {
    return create(GetAccountResponseSchema, { account: accountMessage(await deps.getAccount(idOf(name))) });
  },
  async listAccounts(deps: AccountsDeps, request: ListAccountsRequest) {
    const limit = pageSize(request.pageSize);
    const after = readPageToken(request.pageToken, QUERY, NAME);
    const rows = await deps.listAccounts({ after, limit: limit + 1 });
    const { page, nextPageToken } = pageOf(rows, limit, QUERY, ({ name }) => name);
    return create(ListAccountsResponseSchema, { accounts: page.map(accountMessage), nextPageToken });
  },
  async updateAccount(deps: AccountsDeps, { account, updateMask }: UpdateAccountRequest, { actor }: Call) {
    const given = account ?? create(AccountSchema);
    const row = await deps.updateAccount(
      idOf(given.name),
      (stored) => {
        assertEtag(given.name, stored, given.etag);
        const merged = accountMessage(stored);
        mergeMasked(AccountSchema, merged, clone(AccountSchema, given), updateMask?.paths ?? []);
        return specOf(merged);
      },
      actor,
    );
    return create(UpdateAccountResponseSchema, { account: accountMessage(row) });
  },
  async deleteAccount(deps: AccountsDeps, { name, etag }: DeleteAccountRequest, { actor }: Call) {
    await deps.deleteAccount(idOf(name), (stored) => assertEtag(name, stored, etag), actor);
    return create(DeleteAccountResponseSchema);
  },
};

/** Returns the last part of an account's name. */
export const idOf = (name: string): string => name.split("/")[1] ?? "";

function specOf({ description, roles }: Account): JsonObject {
  return toJson(AccountSchema, create(AccountSchema, { description, roles })) as JsonObject;
}

function accountMessage(row: Resource): Account {
  return Object.assign(fromJson(AccountSchema, row.spec), {
    name: accountName(row.name),
    etag: etagOf(row),
    createTime: timestampFromDate(row.createTime),
    updateTime: timestampFromDate(row.updateTime),
  });
}
