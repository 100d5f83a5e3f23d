import { type Duration, type Timestamp, timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { CreateTokenResponseSchema, type Token, TokenSchema } from "../../../gen/signalman/v1/token_pb.ts";
import { parseAccount, parseToken } from "../input/names.ts";
import { parseDuration } from "../input/values.ts";
import { pages } from "../pages.ts";
import { withSession } from "../session.ts";
import { jsonLine } from "../terminal/json.ts";
import { print, say } from "../terminal/output.ts";
import { table, terminalWidth } from "../terminal/table.ts";
import { rough, since } from "../terminal/time.ts";

export function addToken(program: Command): void {
  const token = program.command("token").description("create, list and revoke the tokens of accounts");
  token
    .command("create")
    .description("create a token and print its text, which is shown this once")
    .argument("<token>", "ACCOUNT/TOKEN: the account, and a name for the token", parseToken)
    .option(
      "--expires <duration>",
      "time until the token expires, such as 12h or 30d; 90d unless given",
      parseDuration,
    )
    .action(
      withSession(async (session, name: string, { expires }: { expires?: Duration }) => {
        const [, account = "", , tokenId = ""] = name.split("/");
        const request = { parent: `accounts/${account}`, tokenId, lifetime: expires };
        const made = await session.call(({ tokens }, options) => tokens.createToken(request, options));
        if (session.json) await print(jsonLine(CreateTokenResponseSchema, made));
        else {
          await print(made.text);
          say(`${shortToken(name)} expires ${day(made.token?.expireTime)}; its text cannot be shown again`);
        }
        return 0;
      }),
    );
  token
    .command("list")
    .description("list the tokens of an account, revoked and expired ones included")
    .argument("<account>", "the account", parseAccount)
    .action(
      withSession(async (session, parent: string) => {
        const read = (page: object) =>
          session.call(({ tokens }, call) => tokens.listTokens({ parent, ...page }, call));
        const all = await Array.fromAsync(pages(Number.POSITIVE_INFINITY, read, (page) => page.tokens));
        if (session.json) for (const one of all) await print(jsonLine(TokenSchema, one));
        else for (const line of tokenTable(all)) await print(line);
        return 0;
      }),
    );
  token
    .command("revoke")
    .description("revoke a token for good: calls with it are refused and its streams end within 2 seconds")
    .argument("<token>", "ACCOUNT/TOKEN", parseToken)
    .action(
      withSession(async (session, name: string) => {
        const { token: revoked } = await session.call(({ tokens }, options) =>
          tokens.revokeToken({ name }, options),
        );
        if (session.json && revoked) await print(jsonLine(TokenSchema, revoked));
        else await print(`${shortToken(name)} revoked`);
        return 0;
      }),
    );
}

function tokenTable(tokens: readonly Token[]): string[] {
  const ago = (time: Timestamp | undefined) => (time ? `${rough(since(time))} ago` : "never");
  const rows = tokens.map((token) => [
    shortToken(token.name),
    stateOf(token),
    day(token.expireTime),
    ago(token.createTime),
    ago(token.lastUseTime),
  ]);
  return table(["TOKEN", "STATE", "EXPIRES", "CREATED", "LAST USED"], rows, {
    width: terminalWidth(),
  });
}

function stateOf({ revokeTime, expireTime }: Token): string {
  if (revokeTime) return "revoked";
  return expireTime && timestampMs(expireTime) <= Date.now() ? "expired" : "valid";
}

const shortToken = (name: string) => name.replace(/^accounts\/([^/]+)\/tokens\//, "$1/");
const day = (time: Timestamp | undefined) =>
  time ? timestampDate(time).toISOString().slice(0, 16).replace("T", " ") : "never";
