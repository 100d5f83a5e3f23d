import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CatalogSchema, CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { HookEvent } from "../../gen/signalman/v1/hook_pb.ts";
import { makeRepository } from "../git/repository.ts";
import { makeCertificate } from "../support/certificates.ts";
import type { TestService } from "../support/service.ts";
import type { Sshd, SshKey } from "../support/sshd.ts";

type Catalog = Exclude<MessageInitShape<typeof CatalogSchema>, { $typeName: string }>;

/** Files of git LFS, by SHA-256. */
const CONTENT = Buffer.from("from LFS\n");
const OID = createHash("sha256").update(CONTENT).digest("hex");
export const LFS_FILES = new Map([[OID, CONTENT]]);

/** Folders that are repositories, with their files. */
const FOLDERS: Record<string, Record<string, string>> = {
  venv: {
    "run.sh": `set -e
python3 -m venv venv
python3 - <<'END'
import zipfile
with zipfile.ZipFile("greet-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("greet.py", "import os, sys\\nos.system('echo $(id -u) installed by pip; kill -0 $PPID')\\n")
    wheel.writestr("greet-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: greet\\nVersion: 1.0\\n")
    wheel.writestr("greet-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("greet-1.0.dist-info/RECORD", "")
END
venv/bin/pip install --quiet --no-index ./greet-1.0-py3-none-any.whl
venv/bin/python -c 'import greet'
`,
  },
  npm: {
    "run.sh": `set -e
npm pack --silent ./greet
npm install --silent --offline --no-audit --package-lock-only
npm ci --silent --offline --no-audit
npm run --silent build
`,
    "greet/package.json": '{ "name": "greet", "version": "1.0.0", "main": "index.js" }',
    "greet/index.js": 'console.log("installed by npm");\n',
    "package.json": `{
      "name": "app", "version": "1.0.0",
      "dependencies": { "greet": "file:greet-1.0.0.tgz" },
      "scripts": { "build": "node build.js" }
    }`,
    "build.js":
      'require("child_process").execFileSync(process.execPath, ["-e", "require(\'greet\')"], { stdio: "inherit" });\n',
  },
  make: {
    Makefile: `all: one two
	@cat one two
one two:
	@sh -c 'echo made $@ by $$PPID >$@ & wait'
`,
  },
  hooks: { "run.sh": "echo from the task\n" },
  play: {
    "site.yml": `- hosts: all
  gather_facts: true
  roles: [greet]
  tasks:
    - { name: begun, command: echo done, async: 60, poll: 0, register: job }
    - { name: waited, async_status: { jid: "{{ job.ansible_job_id }}" }, register: seen, until: seen is finished, retries: 600, delay: 0.1 }
    - { name: copied, copy: { dest: "{{ '/tmp' if inventory_hostname == 'here' else folder }}/signalman-tools", content: "{{ seen.stdout }}" } }
`,
    "requirements.yml": "roles:\n  - { name: greet, src: greet.tar.gz }\n",
    "roles-source/greet/tasks/main.yml": '- debug: msg="role on {{ inventory_hostname }}"\n',
    "roles-source/greet/meta/main.yml": "galaxy_info: {}\n",
  },
  infra: {
    "main.tf": `terraform {
  required_providers {
    signalman = { source = "test/signalman" }
  }
}
variable "text" { default = "hello" }
resource "signalman_note" "one" { text = var.text }
output "text" { value = signalman_note.one.text }
`,
  },
};

const PROVIDER = fileURLToPath(new URL("../fixtures/terraform-provider.ts", import.meta.url));

/** Servers that the tools call. */
export interface Servers {
  /** URL of the git server. */
  git: string;
  /** Folder that it serves. */
  served: string;
  sshd: Sshd | undefined;
  key: SshKey;
  /** Folder of the test, which the user of sshd can write. */
  folder: string;
}

/** Makes project `demo` with a template for each tool. */
export async function applyTools(service: TestService, servers: Servers): Promise<void> {
  const root = join(service.dataDir, "tools");
  for (const [folder, files] of Object.entries(FOLDERS))
    for (const [path, text] of Object.entries(files)) write(join(root, folder, path), text);
  packRole(join(root, "play"));
  addProvider(join(root, "infra"));
  serveGit(servers.served);
  const { git, sshd, key, folder } = servers;
  const common = "ansible_python_interpreter=/usr/bin/python3";
  const far =
    sshd && `far ansible_host=127.0.0.1 ansible_port=${sshd.port} ansible_user=${sshd.user} ${common}\n`;
  const program = (script: string) => ({ case: "program", value: { app: "bash", script } }) as const;
  const shell = (name: string) => ({ name, app: "bash", repository: name, path: "run.sh" });
  const catalog: Catalog = {
    project: { name: "demo" },
    accessKeys: [{ name: "key", kind: { case: "ssh", value: { privateKey: key.privateKey } } }],
    repositories: [
      ...Object.keys(FOLDERS).map((name) => ({ name, url: join(root, name) })),
      { name: "git", url: `${git}/app.git`, lfs: true },
    ],
    inventories: [
      {
        name: "hosts",
        sshKey: "key",
        source: { case: "ini", value: `here ansible_connection=local ${common}\n${far ?? ""}` },
      },
    ],
    templates: [
      shell("venv"),
      shell("npm"),
      shell("git"),
      { name: "make", app: "make", repository: "make", path: "Makefile", arguments: ["-j2"] },
      {
        ...shell("hooks"),
        hooks: [
          {
            name: "b",
            event: HookEvent.BEFORE_TASK,
            required: true,
            kind: program("echo from a hook before; sleep 1000 &"),
          },
          {
            name: "a",
            event: HookEvent.ON_SUCCESS,
            required: true,
            kind: program("echo from a hook after"),
          },
        ],
      },
      {
        name: "ansible",
        app: "ansible",
        repository: "play",
        path: "site.yml",
        inventory: "hosts",
        variables: { folder },
      },
      {
        name: "terraform",
        app: "terraform",
        repository: "infra",
        path: ".",
        allowExtraVariables: true,
        env: { TF_CLI_CONFIG_FILE: "/dev/null" },
        settings: { case: "terraform", value: { autoApprove: true, allowAutoApprove: true } },
      },
    ],
  };
  await service.client(CatalogService).applyCatalog({ catalog });
}

function write(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode });
}

/** Makes the archive from which Galaxy installs the role. */
function packRole(folder: string): void {
  execFileSync("tar", ["-czf", join(folder, "greet.tar.gz"), "-C", join(folder, "roles-source"), "greet"]);
}

/** Puts the provider where Terraform finds it without a registry: in the configuration's own folder. */
function addProvider(folder: string): void {
  using certificate = makeCertificate();
  const files = { "cert.pem": certificate.cert, "key.pem": certificate.key };
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, name), content, { mode: 0o644 });
  const platform = `linux_${process.arch === "x64" ? "amd64" : process.arch}`;
  const place = `terraform.d/plugins/registry.terraform.io/test/signalman/1.0.0/${platform}`;
  const script = `#!/bin/sh\nexec ${process.execPath} ${PROVIDER} cert.pem key.pem\n`;
  write(join(folder, place, "terraform-provider-signalman_v1.0.0"), script, 0o755);
}

/** Makes repositories to serve: one with a file of git LFS and a submodule, which is the other. */
function serveGit(served: string): void {
  using library = makeRepository();
  library.commit("file", "from a submodule\n");
  using app = makeRepository();
  app.commit(".gitattributes", "*.bin filter=lfs -text\n");
  app.commit(
    "a.bin",
    `version https://git-lfs.github.com/spec/v1\noid sha256:${OID}\nsize ${CONTENT.length}\n`,
  );
  app.commit("run.sh", "cat a.bin lib/file; git log --format=%s -1\n");
  app.write(".gitmodules", '[submodule "lib"]\n\tpath = lib\n\turl = ../library.git\n');
  app.git("add", ".gitmodules");
  app.git("update-index", "--add", "--cacheinfo", `160000,${library.git("rev-parse", "HEAD")},lib`);
  app.git("commit", "--quiet", "--message", "Add the submodule");
  for (const [name, { path }] of Object.entries({ library, app }))
    cpSync(join(path, ".git"), join(served, `${name}.git`), { recursive: true });
}
