import { execFile } from "node:child_process";
import { cp, glob, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const run = promisify(execFile);
const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const PACKED_FROM = [
  "bin",
  "gen",
  "proto",
  "src",
  "package.json",
  "README.md",
  "LICENSE",
  "tsconfig.json",
  "tsconfig.build.json",
];

/** Folder with the package as npm installs it, and with only the dependencies that it declares. */
let folder: string;
let installed: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "signalman-packed-"));
  installed = join(folder, "node_modules", "signalman");
  const source = join(folder, "source");
  // `npm pack` compiles into dist/: in a copy, so that the repository stays as it is.
  // Python may be writing compiled files beside Ansible's plugins at the same time.
  const filter = (path: string) => !path.includes("__pycache__");
  for (const name of PACKED_FROM)
    await cp(join(REPOSITORY, name), join(source, name), { recursive: true, filter });
  await symlink(join(REPOSITORY, "node_modules"), join(source, "node_modules"));
  await run("npm", ["pack", "--pack-destination", folder], { cwd: source });
  await mkdir(installed, { recursive: true });
  const [tarball = ""] = await Array.fromAsync(glob("signalman-*.tgz", { cwd: folder }));
  await run("tar", ["-xzf", join(folder, tarball), "-C", installed, "--strip-components=1"]);
  await rm(source, { recursive: true });
  const { dependencies } = JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
  for (const name of Object.keys(dependencies)) {
    const link = join(folder, "node_modules", name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(REPOSITORY, "node_modules", name), link);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a module in that folder; resolves with what it wrote. */
async function runModule(code: string): Promise<string> {
  const file = join(folder, "user.mjs");
  await writeFile(file, code);
  const { stdout } = await run(process.execPath, [file], { cwd: folder });
  return stdout.trim();
}

/** Files of the package that importing one of its exports loads. */
async function loadedBy(specifier: string): Promise<string[]> {
  const urls = await runModule(`
    import { registerHooks } from "node:module";
    const urls = [];
    registerHooks({
      load(url, context, next) {
        urls.push(url);
        return next(url, context);
      },
    });
    await import(${JSON.stringify(specifier)});
    console.log(JSON.stringify(urls));`);
  return (JSON.parse(urls) as string[])
    .filter((url) => url.startsWith("file:"))
    .map((url) => relative(installed, fileURLToPath(url)))
    .filter((path) => !path.startsWith(".."));
}

test("a service imports the client, and nothing of the server comes with it", async () => {
  const kind = await runModule(`
    import { connectSignalman } from "signalman/client";
    using client = connectSignalman({ server: "127.0.0.1:1" });
    console.log(typeof client.tasks.runTask);`);
  expect(kind).toBe("function");
  const loaded = await loadedBy("signalman/client");
  expect(loaded).toContain("dist/src/client/connect.js");
  expect(loaded.filter((path) => !/^dist\/(src\/client|gen)\//.test(path))).toEqual([]);
});

test("a hook's module imports signalman/hooks, and no database comes with it", async () => {
  const loaded = await loadedBy("signalman/hooks");
  expect(loaded).toContain("dist/src/runner/hooks.js");
  expect(loaded.filter((path) => /^dist\/src\/(store|embedded|rpc|http)\//.test(path))).toEqual([]);
});

test("the command line starts, and so does the server's code", async () => {
  const bin = join(installed, "bin", "signalman.js");
  const { version } = JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
  const { stdout } = await run(process.execPath, [bin, "--version"]);
  expect(stdout).toBe(`${version}\n`);
  const server = JSON.stringify(join(installed, "dist/src/main.js"));
  expect(await runModule(`console.log(typeof (await import(${server})).serve);`)).toBe("function");
});

test("each type that an export names is in the package", async () => {
  const { exports } = JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
  for (const { types } of [exports["./client"], exports["./hooks"]])
    expect(await readFile(join(installed, types), "utf8")).toContain("export");
});

test("files that the code reads at run time are in the package, unchanged", async () => {
  const src = join(REPOSITORY, "src");
  const paths = await Array.fromAsync(glob("**/*.*", { cwd: src }));
  const read = paths.filter((path) => !path.endsWith(".ts") && !/__pycache__|\.pyc$/.test(path));
  expect(read).toContain("jobs/families/ansible/signalman_result.py");
  expect(read).toContain("store/migrations/meta/_journal.json");
  for (const path of read) {
    const packed = await readFile(join(installed, "dist/src", path)).catch(() => `${path} is missing`);
    expect(packed).toEqual(await readFile(join(src, path)));
  }
});
