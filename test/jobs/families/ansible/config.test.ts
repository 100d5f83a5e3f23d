import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { colors, findConfig, searchPaths } from "../../../../src/jobs/families/ansible/config.ts";

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), "signalman-cfg-"));
});
afterEach(() => rmSync(work, { recursive: true }));
const pathsWith = (env: Record<string, string>, cwd = work) => {
  const place = { root: work, cwd };
  return searchPaths(place, env, findConfig(place, env));
};
const configure = (text: string, name = "ansible.cfg") => writeFileSync(join(work, name), text);

test("without a configuration Ansible looks below HOME and the machine's folders", async () => {
  expect(pathsWith({ HOME: "/h" })).toEqual({
    callbackPlugins: "/h/.ansible/plugins/callback:/usr/share/ansible/plugins/callback",
    roles: "/h/.ansible/roles:/usr/share/ansible/roles:/etc/ansible/roles",
    collections: "/h/.ansible/collections:/usr/share/ansible/collections",
  });
});

test("the repository's ansible.cfg is used, and its paths are relative to its folder", async () => {
  configure(
    "[other]\nroles_path = /wrong\n[defaults]\n# roles_path = /no\nroles_path = ./roles:~/mine:/abs ; why\ncollections_paths=c\n[x]\ncallback_plugins=/no\n",
  );
  const paths = pathsWith({ HOME: "/h" });
  expect(paths.roles).toBe(`${work}/roles:/h/mine:/abs`);
  expect(paths.collections).toBe(`${work}/c`);
  expect(paths.callbackPlugins).toMatch(/^\/h\/\.ansible/);
});

test("ANSIBLE_CONFIG overrides the repository's file, and variables of the environment override both", async () => {
  configure("[defaults]\nroles_path = a\n");
  configure("[defaults]\nroles_path = b\n", "other.cfg");
  expect(pathsWith({ HOME: "/h", ANSIBLE_CONFIG: "other.cfg" }).roles).toBe(`${work}/b`);
  const said = { HOME: "/h", ANSIBLE_ROLES_PATH: "/e" };
  expect(pathsWith(said).roles).toBe("/e");
});

test("paths may hold variables, keys are case-insensitive, and only a semicolon begins a comment after a value", () => {
  configure(
    `[defaults]\nROLES_PATH = $PWD/roles:$\{HOME}/mine:$NONE/x ; why\nCollections_Path : {{CWD}}/c # 1\r\n`,
  );
  mkdirSync(join(work, "deploy"));
  const env = { HOME: "/h", ANSIBLE_CONFIG: "../ansible.cfg", PWD: "/wrong" };
  const { roles, collections } = pathsWith(env, join(work, "deploy"));
  expect(roles).toBe(`${work}/deploy/roles:/h/mine:${work}/$NONE/x`);
  expect(collections).toBe(`${work}/deploy/c # 1`);
});

test("the ansible.cfg of the working directory is used", () => {
  configure("[defaults]\nroles_path = root\n");
  mkdirSync(join(work, "deploy"));
  configure("[defaults]\nroles_path = own\n", "deploy/ansible.cfg");
  expect(pathsWith({ HOME: "/h" }, join(work, "deploy")).roles).toBe(`${work}/deploy/own`);
});

test.each([
  [{}, "", true],
  [{ NO_COLOR: "1" }, "", false],
  [{ NO_COLOR: "" }, "", true],
  [{ ANSIBLE_NOCOLOR: "yes" }, "", false],
  [{ ANSIBLE_NOCOLOR: "false" }, "nocolor = 1", true],
  [{}, "NoColor = TRUE", false],
  [{}, "nocolor = no", true],
  [{}, "force_color = False", false],
])("colors with %j and %j: %j", (env, line, expected) => {
  const config = { file: "/w/ansible.cfg", text: `[defaults]\n${line}\n` };
  expect(colors(env as Record<string, string>, config)).toEqual(
    expected ? { ANSIBLE_FORCE_COLOR: "True" } : {},
  );
});
