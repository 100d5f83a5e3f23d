import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { isolateBy } from "../../../src/process/isolation/isolation.ts";

const ENTER = fileURLToPath(new URL("../../../src/process/isolation/enter.pl", import.meta.url));

test("a folder inside of a hidden one needs no mount", () => {
  const folders = ["/srv/data", "/srv/data/run", "/tmp/sockets", "/srv/database"];
  const isolation = isolateBy({ name: "bubblewrap", program: "bwrap" }, { folders, files: [] });
  const words = isolation
    .enclose({ cwd: "/srv/data/own", tmp: "/srv/data/tmp", writable: ["/srv/data/own"], readOnly: [] })
    .words(3);
  const mounted = (kind: string) => words.filter((_, at) => words[at - 1] === kind);
  expect(mounted("--tmpfs").filter((path) => folders.includes(path))).toEqual(["/srv/data", "/srv/database"]);
  expect(mounted("--bind-try")).toEqual(["/srv/data/own"]);
});

test("enter.pl is strict without loading a module, which would take milliseconds", ({ skip }) => {
  if (spawnSync("perl", ["-v"]).error) skip("perl is not installed");
  const said = spawnSync("perl", ["-Mstrict", "-Mwarnings", "-c", ENTER], { encoding: "utf8" });
  expect(said).toMatchObject({ status: 0, stderr: `${ENTER} syntax OK\n` });
  expect(readFileSync(ENTER, "utf8")).not.toMatch(/^\s*(use|require) /m);
});
