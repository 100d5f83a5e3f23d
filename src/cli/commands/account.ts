import { type Command, InvalidArgumentError } from "commander";
import { type Account, AccountSchema, type Role, RoleSchema } from "../../../gen/signalman/v1/account_pb.ts";
import { parseAccount } from "../input/names.ts";
import { pages } from "../pages.ts";
import { withSession } from "../session.ts";
import { jsonLine } from "../terminal/json.ts";
import { print } from "../terminal/output.ts";
import { printable } from "../terminal/printable.ts";
import { table, terminalWidth } from "../terminal/table.ts";

const ROLE_WORDS = RoleSchema.values
  .filter(({ number }) => number !== 0)
  .map(({ localName }) => localName.toLowerCase());

export function addAccount(program: Command): void {
  const account = program
    .command("account")
    .description("create, list and delete the accounts of services that call the server");
  account
    .command("create")
    .description("create an account; roles on a project or a template belong in its catalog (role_bindings)")
    .argument("<account>", "name of the account", parseAccount)
    .option("--role <role>", `role on everything: ${ROLE_WORDS.join(", ")}; may be repeated`, collectRoles)
    .option("--description <text>", "description for people")
    .action(
      withSession(async (session, name: string, options: { role?: Role[]; description?: string }) => {
        const request = {
          accountId: name.slice("accounts/".length),
          account: { roles: options.role ?? [], description: options.description ?? "" },
        };
        const { account: made } = await session.call(({ accounts }, call) =>
          accounts.createAccount(request, call),
        );
        if (made && session.json) await print(jsonLine(AccountSchema, made));
        else
          await print(
            `${name} created; create a token: ${session.command(`token create ${name.slice(9)}/TOKEN`)}`,
          );
        return 0;
      }),
    );
  account
    .command("list")
    .description("list the accounts with their roles on everything")
    .action(
      withSession(async (session) => {
        const read = (page: object) =>
          session.call(({ accounts }, call) => accounts.listAccounts(page, call));
        const all = await Array.fromAsync(pages(Number.POSITIVE_INFINITY, read, (page) => page.accounts));
        if (session.json) for (const one of all) await print(jsonLine(AccountSchema, one));
        else for (const line of accountTable(all)) await print(line);
        return 0;
      }),
    );
  account
    .command("delete")
    .description("delete an account with its tokens and its role bindings; its tasks go on")
    .argument("<account>", "the account", parseAccount)
    .action(
      withSession(async (session, name: string) => {
        await session.call(({ accounts }, options) => accounts.deleteAccount({ name }, options));
        if (!session.json) await print(`${name} deleted`);
        return 0;
      }),
    );
}

function collectRoles(text: string, before: readonly Role[] = []): Role[] {
  const role = RoleSchema.values.find(
    ({ localName, number }) => number !== 0 && localName.toLowerCase() === text.toLowerCase(),
  );
  if (!role) throw new InvalidArgumentError(`It must be one of ${ROLE_WORDS.join(", ")}.`);
  return [...before, role.number as Role];
}

const roleWord = (role: Role): string =>
  RoleSchema.values.find(({ number }) => number === role)?.localName.toLowerCase() ?? String(role);

function accountTable(accounts: readonly Account[]): string[] {
  const rows = accounts.map(({ name, roles, description }) => [
    name.replace("accounts/", ""),
    roles.map(roleWord).join(", ") || "-",
    printable(description),
  ]);
  return table(["ACCOUNT", "ROLES", "DESCRIPTION"], rows, {
    width: terminalWidth(),
  });
}
