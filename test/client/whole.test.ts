import { readdirSync, readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { connectSignalman } from "../../src/client/connect.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** All modules that a module imports, directly or not, relative to the root; packages by their names. */
function importsOf(file: string, seen = new Set<string>()): Set<string> {
  const name = relative(ROOT, file);
  if (seen.has(name)) return seen;
  seen.add(name);
  const text = readFileSync(file, "utf8");
  for (const [, path = ""] of text.matchAll(/^(?:import|export)\s[^;]*?from\s"([^"]+)";/gm)) {
    if (path.startsWith(".")) importsOf(resolve(dirname(file), path), seen);
    else seen.add(path);
  }
  return seen;
}

test("the exported client imports nothing of the server", () => {
  const { exports, dependencies } = JSON.parse(readFileSync(`${ROOT}/package.json`, "utf8"));
  expect(exports["./client"].default).toBe("./dist/src/client/connect.js");
  const imports = [...importsOf(`${ROOT}/src/client/connect.ts`)];
  const files = imports.filter((name) => name.endsWith(".ts"));
  expect(files).toContain("src/client/watch.ts");
  expect(files.filter((name) => !/^(src\/client|gen)\//.test(name))).toEqual([]);
  const packages = imports.filter((name) => !name.endsWith(".ts") && !name.startsWith("node:"));
  const owners = new Set(packages.map((name) => name.split("/").slice(0, 2).join("/")));
  expect([...owners].sort()).toEqual([
    "@bufbuild/protobuf",
    "@connectrpc/connect",
    "@connectrpc/connect-node",
  ]);
  expect(Object.keys(dependencies)).toEqual(expect.arrayContaining([...owners]));
});

test("there is a client for each service of the contract", () => {
  const proto = `${ROOT}/proto/signalman/v1`;
  const services = readdirSync(proto).flatMap((file) => [
    ...readFileSync(`${proto}/${file}`, "utf8").matchAll(/^service (\w+) /gm),
  ]);
  using client = connectSignalman();
  const clients = Object.values(client).filter((value) => typeof value === "object");
  expect(clients).toHaveLength(services.length);
});
