import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type Config, readConfig } from "../../src/config.ts";
import { openToAll } from "../../src/settings/source.ts";

const folder = mkdtempSync(join(tmpdir(), "signalman-settings-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

const TOKEN = "0123456789abcdef";
const KEY = Buffer.alloc(32, 1);
/** The secrets: variable, flag of the file, credential, a text, and what the config then holds. */
const SECRETS = [
  ["tokens", "SIGNALMAN_TOKEN", "token-file", "signalman-token", TOKEN, [TOKEN]],
  [
    "secretKeys",
    "SIGNALMAN_SECRET_KEY",
    "secret-key-file",
    "signalman-secret-key",
    KEY.toString("base64"),
    [KEY],
  ],
  [
    "databaseUrl",
    "DATABASE_URL",
    "database-url-file",
    "signalman-database-url",
    "postgres://u:p@db/x",
    "postgres://u:p@db/x",
  ],
] as const;

describe.each(SECRETS)("%s", (key, variable, flag, credential, text, value) => {
  const file = write(variable, `${text}\n`);

  test("comes from a file, by its variable or its flag", () => {
    const byVariable = readConfig({}, { [`${variable}_FILE`]: file });
    expect(byVariable[key]).toEqual(value);
    expect(byVariable.secretFiles).toEqual([file]);
    expect(readConfig({ [`${key}File`]: file }, {})[key]).toEqual(value);
  });

  test("comes from a credential of systemd, if it is not set otherwise", () => {
    const CREDENTIALS_DIRECTORY = join(folder, `credentials-${key}`);
    mkdirSync(CREDENTIALS_DIRECTORY);
    expect(readConfig({}, { CREDENTIALS_DIRECTORY })[key]).toBeUndefined();
    writeFileSync(join(CREDENTIALS_DIRECTORY, credential), text);
    expect(readConfig({}, { CREDENTIALS_DIRECTORY })[key]).toEqual(value);
    const other = readConfig({}, { CREDENTIALS_DIRECTORY, [`${variable}_FILE`]: file });
    expect(other.secretFiles).toEqual([file]);
  });

  test("is refused in both forms, with both names", () => {
    const both = { [variable]: text, [`${variable}_FILE`]: file };
    expect(() => readConfig({}, both)).toThrow(
      `${variable} and ${variable}_FILE give the same setting: leave one of them out`,
    );
    expect(() => readConfig({ [`${key}File`]: file }, { [variable]: text })).toThrow(
      `${variable} and --${flag} give the same setting`,
    );
  });

  test("that is empty as a variable is not given", () => {
    expect(readConfig({}, { [variable]: "", [`${variable}_FILE`]: "" })[key]).toBeUndefined();
  });

  test("that is not valid is an error that names the variable and the file, and not the text", () => {
    const bad = write(`bad-${key}`, "hunter2 hunter2 hunter2\n");
    const read = () => readConfig({}, { [`${variable}_FILE`]: bad });
    expect(read).toThrow(`${variable}_FILE (${bad}) `);
    expect(read).not.toThrow(/hunter2/);
  });
});

test("a flag of a file overrides the variable of a file", () => {
  const [one, other] = [write("one", `${TOKEN}-1`), write("other", `${TOKEN}-2`)];
  const { tokens } = readConfig({ tokensFile: one }, { SIGNALMAN_TOKEN_FILE: other });
  expect(tokens).toEqual([`${TOKEN}-1`]);
});

test("one line break at the end of a file is left out, and no more", () => {
  const url = (text: string) => readConfig({}, { DATABASE_URL_FILE: write("url", text) }).databaseUrl;
  expect(url("postgres://db/x\r\n")).toBe("postgres://db/x");
  expect(url("postgres://db/x\n\n")).toBe("postgres://db/x\n");
});

test("links are followed, as containers mount secrets", () => {
  symlinkSync(write("behind", TOKEN), join(folder, "link"));
  expect(readConfig({}, { SIGNALMAN_TOKEN_FILE: join(folder, "link") }).tokens).toEqual([TOKEN]);
});

describe("a file that cannot be read is an error that says why:", () => {
  execFileSync("mkfifo", [join(folder, "pipe")]);
  const BAD: [string, string, string][] = [
    ["missing", join(folder, "missing"), `there is no file ${join(folder, "missing")}`],
    ["empty", write("empty", ""), `the file ${join(folder, "empty")} is empty`],
    ["empty but for a line break", write("blank", "\n"), `the file ${join(folder, "blank")} is empty`],
    ["a folder", folder, `Cannot use ${folder}: it is a folder, not a regular file`],
    ["a pipe", join(folder, "pipe"), "it is a named pipe, a socket or a device"],
    ["large", write("large", "x".repeat(70_000)), "it has 70000 bytes; at most 65536 are read"],
  ];
  test.each(BAD)("%s", (_what, SIGNALMAN_TOKEN_FILE, wanted) => {
    const read = () => readConfig({}, { SIGNALMAN_TOKEN_FILE });
    expect(read).toThrow(/^SIGNALMAN_TOKEN_FILE: /);
    expect(read).toThrow(wanted);
  });

  test("no permission", ({ skip }) => {
    if (process.geteuid?.() === 0) skip("root may read every file");
    const path = write("closed", TOKEN);
    chmodSync(path, 0);
    expect(() => readConfig({}, { SIGNALMAN_TOKEN_FILE: path })).toThrow(/^SIGNALMAN_TOKEN_FILE: EACCES/);
  });
});

test("files that every user can read are found", () => {
  const [open, shared, own] = [write("open", TOKEN), write("shared", TOKEN), write("own", TOKEN)];
  chmodSync(open, 0o644);
  chmodSync(shared, 0o640);
  expect(openToAll([open, shared, own, join(folder, "gone")])).toEqual([open]);
});

test("a secret of the server cannot be forwarded to tasks", () => {
  const config = (): Config => readConfig({}, { SIGNALMAN_FORWARDED_ENV: "LANG,DATABASE_URL" });
  expect(config).toThrow("SIGNALMAN_FORWARDED_ENV names DATABASE_URL, which is a secret of the server");
});
