import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createProgram } from "../../src/cli/program.ts";
import { SETTINGS } from "../../src/config.ts";
import { cli } from "../cli/cli.ts";
import { keyLike } from "../support/private-key.ts";
import { startService, type TestService } from "../support/service.ts";
import { anchors, blocks, links, PAGES, ROOT } from "./pages.ts";

const PACKAGE = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
};

describe.each(PAGES)("$name", (page) => {
  test("has links to existing files and headings only", () => {
    const broken = links(page).filter(({ target, anchor }) => {
      const path = join(ROOT, target);
      if (!existsSync(path)) return true;
      return anchor !== "" && !anchors(readFileSync(path, "utf8")).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  test("shows existing commands, options and scripts only", () => {
    const text = [
      ...blocks(page, "sh"),
      ...[...page.text.matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code),
    ];
    expect(text.flatMap((block) => block.split("\n")).flatMap(wrongIn)).toEqual([]);
  });
});

/** Commands, options and scripts in a line that do not exist. */
function wrongIn(line: string): string[] {
  const scripts = [...line.matchAll(/npm run ([\w:]+)/g)].flatMap(([, name = ""]) =>
    Object.hasOwn(PACKAGE.scripts, name) ? [] : [`npm run ${name}`],
  );
  const calls = [...line.matchAll(/(?:^|npx |&& |<\()signalman ([a-z][a-z-]*)([^|&#)]*)/g)];
  return [...scripts, ...calls.flatMap(([, name = "", rest = ""]) => wrongOptions(name, rest))];
}

function wrongOptions(name: string, rest: string): string[] {
  const program = createProgram();
  const command = program.commands.find((one) => one.name() === name);
  if (!command) return [`signalman ${name}`];
  const part = command.commands.find((one) => one.name() === /^ ([a-z-]+)/.exec(rest)?.[1]);
  if (command.commands.length > 0 && !part && rest !== "") return [`signalman ${name}${rest}`];
  const own = [...program.options, ...(part ?? command).options].flatMap(({ long, short }) => [long, short]);
  const flags = Object.values(SETTINGS).flatMap(({ flag }: { flag?: string }) => (flag ? [`--${flag}`] : []));
  const known = new Set(name === "serve" ? [...flags, "--help"] : [...own, "--help", "-h"]);
  return [...rest.matchAll(/(?<=^|\s)(--?[a-z][\w-]*)/g)]
    .map(([option]) => option)
    .filter((option) => !known.has(option))
    .map((option) => `signalman ${name} ${option}`);
}

describe("the catalogs", () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service[Symbol.asyncDispose]());

  const catalogs = PAGES.flatMap((page) =>
    blocks(page, "yaml")
      .filter((text) => text.startsWith("# catalog.yaml"))
      .map((text, index) => ({ place: `${page.name} ${index + 1}`, text })),
  );

  test.each(catalogs)("in $place can be applied", async ({ text }) => {
    const folder = await mkdtemp(join(tmpdir(), "signalman-docs-"));
    const key = join(folder, "key");
    await writeFile(key, keyLike("docs"));
    await writeFile(join(folder, "catalog.yaml"), text.replaceAll(/!file [\w/.-]+/g, "!file key"));
    const result = await cli(["apply", join(folder, "catalog.yaml")], {
      server: service.url,
      env: { API_TOKEN: "not-a-real-token", VAULT_PASSWORD: "not-a-real-password" },
    });
    expect(result).toMatchObject({ code: 0 });
  });
});
