import { expect, test } from "vitest";
import { ansibleArguments } from "../../../../src/jobs/families/ansible/arguments.ts";
import type { AccessKey } from "../../../../src/keys/access-key.ts";
import { ansibleInput } from "./input.ts";

const files = { playbook: "site.yml", inventory: "/i", variables: "/v", vaults: [] };

test("a call with default settings has inventory, variables and playbook", () => {
  expect(ansibleArguments(ansibleInput(), files)).toEqual(["-i", "/i", "--extra-vars", "@/v", "site.yml"]);
});

test("a playbook's path cannot be read as an option", () => {
  const args = ansibleArguments(ansibleInput(), { ...files, playbook: "--list-hosts" });
  expect(args.at(-1)).toBe("./--list-hosts");
});

test("all arguments come in the order of Semaphore UI, without secrets", () => {
  const login = (name: string): AccessKey => ({
    name,
    kind: "login_password",
    login: name,
    password: "s3cret",
  });
  const input = ansibleInput({
    secretVariables: { token: "s3cret" },
    vaults: [
      { name: "default", key: { name: "v", kind: "text", value: "s3cret" } },
      { name: "prod", script: "vault.sh" },
    ],
    arguments: { template: ["--forks", "2"], task: ["--step"] },
    ansible: {
      limit: ["web", "db"],
      tags: ["a"],
      skipTags: ["b"],
      verbosity: 3,
      check: true,
      diff: true,
      refreshRequirements: false,
    },
  });
  const inventory = { ...input.inventory, sshKey: login("deploy"), becomeKey: login("root") };
  const args = ansibleArguments(
    { ...input, inventory },
    {
      ...files,
      secretVariables: "/s",
      connectionPassword: "/c",
      becomePassword: "/b",
      vaults: ["/v0", "/w/vault.sh"],
    },
  );
  expect(args.join(" ")).toBe(
    "-i /i --user deploy --connection-password-file /c --become-user root --become-password-file /b -vvv --diff --check " +
      "--vault-id default@/v0 --vault-id prod@/w/vault.sh --extra-vars @/v --extra-vars @/s " +
      "--limit=web,db --tags=a --skip-tags=b --forks 2 --step site.yml",
  );
  expect(args.join(" ")).not.toContain("s3cret");
});
