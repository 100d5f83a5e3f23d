import { describe, expect, test } from "vitest";
import { isSamePlace, parseRemote, resolveSubmodule } from "../../src/git/remote-url.ts";

describe("a remote URL is accepted", () => {
  test.each([
    ["https://example.com/a.git", "https", "example.com", ""],
    ["https://Example.COM:443/a", "https", "example.com", ""],
    ["http://me@[::1]:8080/a/b", "http", "[::1]:8080", "me"],
    ["ssh://git@example.com:22/a", "ssh", "example.com", "git"],
    ["ssh://example.com:2222/~me/a", "ssh", "example.com:2222", ""],
    ["git@example.com:a/b.git", "ssh", "example.com", "git"],
    ["git@example.com:/srv/a.git", "ssh", "example.com", "git"],
    ["example.com:a.git", "ssh", "example.com", ""],
    ["example.com:a/b@2.git", "ssh", "example.com", ""],
    ["http://git_server:3000/a.git", "http", "git_server:3000", ""],
    ["ssh://git@gitea_web:2222/o/r.git", "ssh", "gitea_web:2222", "git"],
    ["git@gitea_web:o/r.git", "ssh", "gitea_web", "git"],
    ["git@[::1]:o/r.git", "ssh", "[::1]", "git"],
    ["ssh://git@[::1]:2222/o/r.git", "ssh", "[::1]:2222", "git"],
    ["ssh://jane%40corp.example@example.com/a", "ssh", "example.com", "jane@corp.example"],
    ["ssh://CORP%5Cjane@example.com/a", "ssh", "example.com", "CORP\\jane"],
  ])("%s", (text, scheme, host, user) => {
    expect(parseRemote(text)).toMatchObject({ text, scheme, host, user });
  });
});

describe("a text is not accepted as a remote URL", () => {
  test.each([
    ["a password", "https://me:secret@example.com/a"],
    ["a query, which may hold a token", "https://example.com/a?private_token=x"],
    ["a helper, for which git starts a program", "ext::sh -c touch% /tmp/x"],
    ["a helper without white space", "ext::sh"],
    ["an option as a host", "ssh://-oProxyCommand=x/y"],
    ["an option as a user", "ssh://-oProxyCommand=x@host/y"],
    ["an option as a user, percent-encoded", "ssh://%2doProxyCommand=x@host/y"],
    ["an option as a host, in the short form", "-oProxyCommand=x:y"],
    ["an option as a user, in the short form", "-oProxyCommand=x@host:y"],
    ["an option as a path", "git@example.com:-x"],
    ["an option", "--upload-pack=x"],
    ["a broken escape", "ssh://%zz@host/x"],
    ["a line break in a user", "ssh://a%0ab@host/x"],
    ["an invalid IPv6 address", "git@[::1;id]:x"],
    ["another scheme", "git://example.com/a"],
    ["a folder", "/srv/a"],
    ["a folder by URL", "file:///srv/a"],
    ["a relative folder", "../a"],
    ["a host alone", "https://example.com/"],
    ["white space", "https://example.com/a b"],
    ["a line break", "https://example.com/a\nb"],
    ["a password without a scheme", "me:secret@example.com/a.git"],
    ["a password behind a backslash", "https://me\\:secret@example.com/a.git"],
    ["a host behind a backslash", "https://example.com\\@other.example/a.git"],
    ["a mistyped URL", "https:/example.com/a"],
    ["nothing", ""],
  ])("%s", (_, text) => {
    expect(parseRemote(text)).toBeUndefined();
  });
});

test("two remotes are at the same place if scheme, host and port are equal", () => {
  const same = (one: string, other: string) => {
    const [a, b] = [parseRemote(one), parseRemote(other)];
    return a && b && isSamePlace(a, b);
  };
  expect(same("https://a.example/x", "https://A.example:443/y")).toBe(true);
  expect(same("git@a.example:x", "ssh://a.example/y")).toBe(true);
  expect(same("https://a.example/x", "http://a.example/x")).toBe(false);
  expect(same("https://a.example/x", "https://a.example.evil/x")).toBe(false);
  expect(same("https://a.example/x", "https://a.example:8443/x")).toBe(false);
});

test.each([
  ["https://h/a/b.git", "../c.git", "https://h/a/c.git"],
  ["https://h/a/b.git/", "../../c/d", "https://h/c/d"],
  ["https://h/a", "./sub", "https://h/a/sub"],
  ["git@h:a/b", "../c", "git@h:a/c"],
  ["git@h:a", "../c", "git@h:c"],
  ["/srv/a", "../b", "/srv/b"],
  ["https://h/a", "https://other/c", "https://other/c"],
])("in the repository %s the submodule %s resolves to %s", (parent, url, resolved) => {
  expect(resolveSubmodule(url, parent)).toBe(resolved);
});
