import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { movingVersions } from "../../../../src/jobs/families/ansible/moving-versions.ts";
import { findRequirements, isRemote } from "../../../../src/jobs/families/ansible/requirements.ts";

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), "signalman-req-"));
});
afterEach(() => rmSync(work, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(work, path)), { recursive: true });
  writeFileSync(join(work, path), text);
}
const found = async (playbook: string, workingDir = ".") =>
  (await findRequirements({ root: work, cwd: join(work, workingDir) }, playbook)).map(
    ({ kind, file }) => `${kind} ${file.slice(work.length + 1)}`,
  );

test("collections come first, then roles, each from its four places", async () => {
  const both = "collections: [a.b]\nroles: [c.d]\n";
  write("play/collections/requirements.yml", "collections: [a.b]\n");
  write("play/roles/requirements.yml", "- src: c.d\n");
  write("play/requirements.yml", both);
  write("collections/requirements.yml", "collections: [a.b]\n");
  write("roles/requirements.yml", "roles: [c.d]\n");
  write("requirements.yml", both);
  expect(await found("play/site.yml")).toEqual([
    "collection play/collections/requirements.yml",
    "collection play/requirements.yml",
    "collection collections/requirements.yml",
    "collection requirements.yml",
    "role play/roles/requirements.yml",
    "role play/requirements.yml",
    "role roles/requirements.yml",
    "role requirements.yml",
  ]);
});

test("a playbook at the root is searched once per folder, and a file counts only for the kinds that it holds", async () => {
  write("requirements.yml", "- src: c.d\n");
  expect(await found("site.yml")).toEqual(["role requirements.yml"]);
  write("requirements.yml", "collections: [a.b]\n");
  expect(await found("site.yml")).toEqual(["collection requirements.yml"]);
  write("requirements.yml", "{ broken");
  expect(await found("site.yml")).toEqual(["collection requirements.yml", "role requirements.yml"]);
});

test("requirements are found one folder above the playbook, in the working directory, and as .yaml", async () => {
  write("ansible/requirements.yaml", "collections: [a.b]\n");
  write("ansible/roles/requirements.yml", "- src: c.d\n");
  write("elsewhere/requirements.yml", "roles: [{ src: e.f }]\n");
  // requirements.yml takes precedence over requirements.yaml in the same folder.
  write("elsewhere/requirements.yaml", "roles: [{ src: g.h }]\n");
  expect(await found("ansible/playbooks/site.yml", "elsewhere")).toEqual([
    "collection ansible/requirements.yaml",
    "role ansible/roles/requirements.yml",
    "role elsewhere/requirements.yml",
  ]);
});

test.each([
  ["collections: [community.general]", "collection", true],
  ["collections: [{ name: 'https://x/y.git', type: git }]", "collection", true],
  ["collections: [{ name: ./mine, type: dir }]", "collection", false],
  ["collections: [{ name: mine.tar.gz, type: file }]", "collection", false],
  ["- src: git@host:x.git\n  scm: git", "role", true],
  ["- src: git+file:///srv/role", "role", false],
  ["- include: more.yml", "role", false],
] as const)("of %j it is known whether its text tells all", (text, kind, expected) => {
  expect(isRemote({ text, kind, file: "" })).toBe(expected);
});

test.each([
  ["- { src: 'git+https://h/r.git', version: main }", "role", ["https://h/r.git main"]],
  ["- { src: 'https://h/r', scm: git, version: stable-2 }", "role", ["https://h/r stable-2"]],
  ["- git+ssh://git@h/r.git,main,name", "role", ["ssh://git@h/r.git main"]],
  ["- { src: 'git@h:o/r.git', version: main }", "role", ["git@h:o/r.git main"]],
  ["roles: [{ role: x.y, version: main }, { src: 'https://h/r.tar.gz', version: main }]", "role", []],
  ["- { src: 'hg+https://h/r', version: tip }", "role", []],
  ["collections: [{ name: 'https://h/c', type: git, version: devel }]", "collection", ["https://h/c devel"]],
  [
    "collections: [{ name: a.b, source: 'git+https://h/c.git#/sub/,devel' }]",
    "collection",
    ["https://h/c.git devel"],
  ],
  ["collections: ['git+https://h/c.git,devel', 'a.b:1.0.0']", "collection", ["https://h/c.git devel"]],
  [
    "collections: [{ name: a.b, version: '>=1' }, { name: c.d, source: 'https://galaxy.h' }]",
    "collection",
    [],
  ],
  ["- { src: 'git+https://h/r.git', version: v1.2.3 }", "role", []],
  ["- { src: 'git+https://h/r.git', version: 1.2 }", "role", ["https://h/r.git 1.2"]],
  ["- { src: 'git+https://h/r.git', version: 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567 }", "role", []],
  ["- { src: 'git+https://h/r.git' }", "role", []],
  ["- [1, null, { src: 5 }]", "role", []],
] as const)("in %j the versions that may move are found", (text, kind, expected) => {
  const found = movingVersions({ text, kind, file: "" });
  expect(found.map(({ url, version }) => `${url} ${version}`)).toEqual(expected);
});
