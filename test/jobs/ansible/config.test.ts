import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { searchPaths } from "../../../src/jobs/ansible/config.ts";

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), "signalman-cfg-"));
});
afterEach(() => rmSync(work, { recursive: true }));
const configure = (text: string, name = "ansible.cfg") => writeFileSync(join(work, name), text);

test("without a configuration Ansible looks below HOME and the machine's folders", async () => {
  expect(await searchPaths(work, { HOME: "/h" })).toEqual({
    callbackPlugins: "/h/.ansible/plugins/callback:/usr/share/ansible/plugins/callback",
    roles: "/h/.ansible/roles:/usr/share/ansible/roles:/etc/ansible/roles",
    collections: "/h/.ansible/collections:/usr/share/ansible/collections",
  });
});

test("the repository's ansible.cfg counts, its paths beginning where it lies", async () => {
  configure(
    "[other]\nroles_path = /wrong\n[defaults]\n# roles_path = /no\nroles_path = ./roles:~/mine:/abs ; why\ncollections_paths=c\n[x]\ncallback_plugins=/no\n",
  );
  const paths = await searchPaths(work, { HOME: "/h" });
  expect(paths.roles).toBe(`${work}/roles:/h/mine:/abs`);
  expect(paths.collections).toBe(`${work}/c`);
  expect(paths.callbackPlugins).toMatch(/^\/h\/\.ansible/);
});

test("another file that the environment names counts instead, and what the environment says itself before all", async () => {
  configure("[defaults]\nroles_path = a\n");
  configure("[defaults]\nroles_path = b\n", "other.cfg");
  expect((await searchPaths(work, { HOME: "/h", ANSIBLE_CONFIG: "other.cfg" })).roles).toBe(`${work}/b`);
  const said = { HOME: "/h", ANSIBLE_ROLES_PATH: "/e" };
  expect((await searchPaths(work, said)).roles).toBe("/e");
});
