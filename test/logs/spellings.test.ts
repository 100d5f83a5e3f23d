import { execFileSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { redactText } from "../../src/logs/redact-text.ts";
import { patternsOf } from "../../src/logs/secret-patterns.ts";

/** Programs that print the variable SECRET in their spelling, and nothing else. */
const PROGRAMS: [string, string[]][] = [
  ["bash's trace", ["bash", "-c", 'exec 2>&1; set -x; : "$SECRET"']],
  ["sh's trace", ["sh", "-c", 'exec 2>&1; set -x; : "$SECRET"']],
  [
    "bash's export -p",
    ["bash", "-c", "for n in $(compgen -e); do [ $n = SECRET ] || unset $n; done 2>&-; export -p"],
  ],
  ["sh's export -p", ["sh", "-c", "unset PATH PWD; export -p"]],
  ["bash's printf %q", ["bash", "-c", 'printf "%q\\n" "$SECRET"']],
  ["bash's printf %q in ASCII", ["bash", "-c", 'LC_ALL=C; printf "%q\\n" "$SECRET"']],
  ["printf %q of coreutils", ["bash", "-c", 'env printf "%q\\n" "$SECRET"']],
  ["bash's declare -p of a command line", ["bash", "-c", 'c=(login -p "$SECRET"); declare -p c']],
  ["Node's inspect", [process.execPath, "-e", "console.log([process.env.SECRET])"]],
];

/** The same in Python, where SECRET is `s`. */
const EXPRESSIONS: [string, string][] = [
  ["shlex", "shlex.quote(s)"],
  ["repr", "repr(s)"],
  ["ascii", "ascii(s)"],
  ["repr of bytes", "s.encode()"],
  ["repr of JSON", "repr(json.dumps({'k': s}))"],
  ["JSON", "json.dumps(s)"],
  ["JSON of a quoted command line", 'json.dumps({"cmd": "login -p " + shlex.quote(s)})'],
  ["JSON of a repr", "json.dumps(repr(s))"],
  ["shlex of JSON", "shlex.quote(json.dumps({'k': s}))"],
  ["HTML", "html.escape(s)"],
  ["XML", "saxutils.escape(s)"],
  ["an XML attribute", "saxutils.quoteattr(s)"],
  ["XML in ASCII", "saxutils.escape(s).encode('ascii', 'xmlcharrefreplace').decode()"],
  ["a URL's part", "parse.quote(s, safe='')"],
  ["a URL's path", "parse.quote(s)"],
  ["a form", "parse.urlencode({'k': s})"],
  ["a URL in lower case", "re.sub('%..', lambda m: m[0].lower(), parse.quote(s))"],
  [
    "JSON with codes in upper case",
    "re.sub('u[0-9a-f]{4}', lambda m: 'u' + m[0][1:].upper(), json.dumps(s))",
  ],
  ["PHP's JSON", "json.dumps(s).replace('/', '\\\\/')"],
  ["single quotes of YAML", 's.replace("\'", "\'\'")'],
  ["hexadecimal", "s.encode().hex()"],
  ["hexadecimal in upper case", "s.encode().hex().upper()"],
  ["entities in decimal", "''.join(c if c.isalnum() and c < '~' else f'&#{ord(c)};' for c in s)"],
  ["entities in hexadecimal", "''.join(c if c.isalnum() and c < '~' else f'&#x{ord(c):x};' for c in s)"],
  ["base64", "base64.b64encode(('user:' + s).encode()).decode()"],
];
const PYTHON = `import os, re, json, shlex, html, base64
from urllib import parse
from xml.sax import saxutils
s = os.environ["SECRET"]
print(json.dumps([str(eval(e)) for e in json.loads(os.environ["EXPRESSIONS"])]))`;

const SECRETS = {
  apostrophe: "it's-hunter-2",
  dollar: "pa$word-hunter`9`",
  everything: `~#Pa$$ w&rd/"é'1<€>+=!{a,b}\\'' [x]*?;|()^%:@`,
  plain: "S3cretHunter2",
  "control characters": "tab\there\x1bescape\x07bell",
  lines: "first it's line-1\nsecond \"it's\" line-2\nthird & <line> 3/4",
};

/** Finds a leak: letters of the secret in their order, with only quoting characters between them. */
function shows(output: string, secret: string): boolean {
  return secret.split("\n").some((line) => {
    const letters = (line.match(/[A-Za-z0-9]/g) ?? []).slice(0, 8).join("[^A-Za-z0-9*]{0,8}");
    const hidden = [Buffer.from(line).toString("hex"), Buffer.from(line).toString("base64").slice(4, -4)];
    return (
      new RegExp(letters).test(output) ||
      hidden.some((code) => output.toLowerCase().includes(code.toLowerCase()))
    );
  });
}

function run([program = "", ...args]: readonly string[], variables: Record<string, string>): string {
  const env = { PATH: process.env.PATH, LANG: "C.UTF-8", PYTHONUTF8: "1", TERM: "dumb", ...variables };
  return execFileSync(program, args, { env, encoding: "utf8" });
}

describe.each(Object.entries(SECRETS))("A secret of %s is masked as it is written by", (_, secret) => {
  function expectHidden(output: string): void {
    const shown = redactText(output, [secret]);
    expect(shown).toContain("***");
    expect(shows(shown, secret), shown).toBe(false);
  }

  test.each(PROGRAMS)("%s", (_, command) => {
    expectHidden(run(command, { SECRET: secret }));
  });

  let written: string[];
  beforeAll(() => {
    const expressions = JSON.stringify(EXPRESSIONS.map(([, expression]) => expression));
    written = JSON.parse(run(["python3", "-c", PYTHON], { SECRET: secret, EXPRESSIONS: expressions }));
  });
  test.each(EXPRESSIONS.map(([name], index) => [name, index] as const))("Python: %s", (_, index) => {
    expectHidden(written[index] ?? "");
  });
});

/** Recorded output of programs that are not installed everywhere. */
const WRITTEN: [string, string, string][] = [
  ["printf %q of zsh", "a#b=c~d 'e", "a\\#b=c~d\\ \\'e"],
  ["export -p of zsh", "it's", "it'\\''s"],
  ["JSON of .NET", "it's <a>&\"+`é", "it\\u0027s \\u003Ca\\u003E\\u0026\\u0022\\u002B\\u0060\\u00E9"],
  ["JSON of Gson", "it's <a>=b", "it\\u0027s \\u003ca\\u003e\\u003db"],
  ["JSON of Go", "a<b>&c", "a\\u003cb\\u003e\\u0026c"],
  ["JSON of PHP", "a/b/é€", "a\\/b\\/\\u00e9\\u20ac"],
  ["YAML in double quotes", "éa'b€", "\\xE9a'b\\u20AC"],
  ["htmlspecialchars of PHP", `a'b"c`, "a&#039;b&quot;c"],
  ["html/template of Go", `a'b"c+d`, "a&#39;b&#34;c&#43;d"],
  ["Handlebars", "a'b=c`d", "a&#x27;b&#x3D;c&#x60;d"],
  ["Mustache", "a/b=c'd", "a&#x2F;b&#x3D;c&#39;d"],
  ["XML", `a'b"c`, "a&apos;b&quot;c"],
  ["XML in hexadecimal", "aé<€", "a&#xE9;&lt;&#x20AC;"],
  ["the login of a URL", "p@ss:w/rd!", "p%40ss%3Aw%2Frd!"],
  ["a bash trace of JSON", `it's "x"`, `it'\\''s \\"x\\"`],
  ["xxd -p of a long text", "x".repeat(64), "78".repeat(30)],
];

test.each(WRITTEN)("%s", (_, secret, written) => {
  expect(redactText(`<<${written}>>`, [secret])).toBe("<<***>>");
});

test("a secret of a megabyte, of one line or many, has its patterns within seconds and is masked in JSON", () => {
  const line = 'it\'s <q> & "more"/'.repeat(20_000);
  expect(redactText(JSON.stringify({ line }), [line]).replaceAll("***", "")).toBe('{"line":""}');
  const lines = Array.from({ length: 16_000 }, (_, i) => `line ${i} it's <q> & "more"/${i}`).join("\n");
  expect(patternsOf(lines).length).toBeLessThan(500_000);
});
