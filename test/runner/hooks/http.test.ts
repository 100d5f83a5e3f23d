import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createCallPolicy, type Endpoint } from "../../../src/runner/hooks/call-policy.ts";
import { type Call, callHttp } from "../../../src/runner/hooks/http.ts";
import { parseHookNetworks } from "../../../src/settings/hook-networks.ts";
import { type Receiver, startReceiver } from "./receiver.ts";

const dns = vi.hoisted(() => ({ answers: new Map<string, string[][]>(), asked: [] as string[] }));
// A resolver whose answers change: the machine's own cannot be told to.
vi.mock("node:dns/promises", async (original) => {
  const real = await original<typeof import("node:dns/promises")>();
  return {
    ...real,
    async lookup(host: string, options: { all: true }) {
      const [now = [], ...later] = dns.answers.get(host) ?? [];
      if (now.length === 0) return real.lookup(host, options);
      dns.asked.push(host);
      dns.answers.set(host, later.length > 0 ? later : [now]);
      return now.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    },
  };
});

let receiver: Receiver;
let port: number;
beforeAll(async () => {
  receiver = await startReceiver();
  port = Number(new URL(receiver.url).port);
});
afterEach(() => {
  dns.answers.clear();
  dns.asked.length = 0;
});
afterAll(() => receiver[Symbol.asyncDispose]());

const SIGNAL = new AbortController().signal;

function call(url: string, more: Partial<Call> = {}, allowed = "any", own: Endpoint[] = []): Promise<string> {
  const whole: Call = {
    url: new URL(url),
    urlKey: undefined,
    method: "POST",
    headers: {},
    secret: undefined,
    body: "{}",
    retries: 0,
    logResponse: false,
    mask: (text) => text,
    ...more,
  };
  return callHttp(
    whole,
    createCallPolicy(parseHookNetworks(allowed), () => own),
    SIGNAL,
  );
}

/** Number of calls that the receiver gets while `work` fails. */
async function callsDuring(work: () => Promise<unknown>): Promise<number> {
  const before = receiver.received.length;
  await work();
  return receiver.received.length - before;
}

describe("a refused address is not called", () => {
  const HOSTS = [
    "169.254.169.254",
    "2852039166",
    "0xA9FEA9FE",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.254.169.254.",
    "①⑥⑨.254.169.254",
    "%31%36%39.254.169.254",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "100.100.100.200",
    "0",
    "0.0.0.0",
    "[::]",
  ];
  test.each(HOSTS)("%s", async (host) => {
    await expect(call(`http://${host}:${port}/latest/meta-data`, { retries: 5 })).rejects.toThrow(
      / must not be called: its address .*; the operator's setting --hook-networks decides what hooks may call$/,
    );
  });

  test("by a name that resolves to one, which the error names", async () => {
    dns.answers.set("metadata.google.internal", [["169.254.169.254"]]);
    await expect(call("http://metadata.google.internal/computeMetadata/v1")).rejects.toThrow(
      "metadata.google.internal must not be called: its address 169.254.169.254 is link-local; the operator's setting --hook-networks decides what hooks may call",
    );
  });

  test("the service itself, under each of its names", async () => {
    const own = [{ host: "127.0.0.1", port }];
    const calls = await callsDuring(async () => {
      for (const host of [
        "127.0.0.1",
        "localhost",
        "127.1",
        "127.9.9.9",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "0x7f000001",
      ])
        await expect(call(`http://${host}:${port}/`, {}, "any", own), host).rejects.toThrow(
          "and its port belong to this service",
        );
    });
    expect(calls).toBe(0);
  });

  test("outside of the operator's networks", async () => {
    const calls = await callsDuring(async () => {
      await expect(call(`${receiver.url}/`, {}, "10.0.0.0/8")).rejects.toThrow(
        `127.0.0.1:${port} must not be called: its address is in none of the networks that hooks may call`,
      );
    });
    expect(calls).toBe(0);
    expect(await call(`${receiver.url}/`, {}, `127.0.0.1:${port}`)).toMatch(/ answered 204 /);
  });
});

describe("a name", () => {
  test("that resolves to another address a moment later is called at the address that was checked", async () => {
    dns.answers.set("rebinds.test", [["127.0.0.1"], ["169.254.169.254"]]);
    expect(await call(`http://rebinds.test:${port}/rebinds`)).toMatch(
      /^rebinds.test:\d+ answered 204 in \d+ ms$/,
    );
    expect(dns.asked).toEqual(["rebinds.test"]);
    const [got] = await receiver.calls("/rebinds", 1);
    expect(got?.headers.host).toBe(`rebinds.test:${port}`);
  });

  test("is checked again before each further try", async () => {
    receiver.answer("/fails", { status: 500 });
    dns.answers.set("turns.test", [["127.0.0.1"], ["::ffff:169.254.169.254"]]);
    await expect(call(`http://turns.test:${port}/fails`, { retries: 3 })).rejects.toThrow(
      "its address ::ffff:169.254.169.254 is link-local",
    );
    expect(dns.asked).toHaveLength(2);
    expect(receiver.received.filter(({ path }) => path === "/fails")).toHaveLength(1);
  });

  test("with some addresses that are refused is called at the others", async () => {
    dns.answers.set("mixed.test", [["169.254.169.254", "fe80::1", "127.0.0.1"]]);
    expect(await call(`http://mixed.test:${port}/mixed`)).toMatch(/ answered 204 /);
    dns.answers.set("all.test", [["169.254.169.254", "fe80::1"]]);
    await expect(call(`http://all.test:${port}/`)).rejects.toThrow("169.254.169.254 is link-local");
  });
});

test("a redirect to metadata is not followed, and fails the call", async () => {
  receiver.answer("/moved", { status: 302, location: "http://169.254.169.254/latest/meta-data" });
  await expect(call(`${receiver.url}/moved`)).rejects.toThrow(/^127.0.0.1:\d+ answered 302 in \d+ ms$/);
});

test("an IPv6 address is called", async () => {
  const server: Server = createServer((_, response) => response.end());
  server.listen(0, "::1");
  await once(server, "listening");
  const { port: there } = server.address() as AddressInfo;
  expect(await call(`http://[::1]:${there}/`)).toMatch(/ answered 200 /);
  server.close();
});

test("a proxy of the environment is not used, since it would resolve the name itself", async () => {
  vi.stubEnv("HTTP_PROXY", "http://127.0.0.1:9");
  vi.stubEnv("http_proxy", "http://127.0.0.1:9");
  vi.stubEnv("NODE_USE_ENV_PROXY", "1");
  expect(await call(`${receiver.url}/direct`)).toMatch(/ answered 204 /);
  vi.unstubAllEnvs();
});

describe("a secret URL", () => {
  const urlKey = "projects/demo/accessKeys/chat";

  test("is named by its access key, whatever happens", async () => {
    receiver.answer("/hidden/T0123456789", { status: 500 });
    const url = `${receiver.url}/hidden/T0123456789`;
    const hidden: [url: string, allowed?: string][] = [
      [url],
      [url.replace("http:", "https:")],
      [url, "10.0.0.0/8"],
      ["http://127.0.0.1:2/hidden"],
      ["https://127.0.0.1:2/hidden"],
      ["http://nobody.invalid/hidden"],
      ["http://169.254.169.254/hidden"],
    ];
    for (const [one, allowed] of hidden) {
      const message = await call(one, { urlKey }, allowed).then(String, String);
      expect(message).toContain(urlKey);
      expect(message).not.toMatch(/127\.0\.0|169\.254|hidden|T0123456789|nobody/);
    }
  });
});

describe("the body of a response", () => {
  test("is shown only if it is asked for, masked and cut", async () => {
    const body = `secret \n ${"x".repeat(50_000)}`;
    receiver.answer("/tells", { status: 200, body });
    receiver.answer("/complains", { status: 500, body });
    const mask = (text: string) => text.replaceAll("secret", "***");
    expect(await call(`${receiver.url}/tells`)).toMatch(/^127.0.0.1:\d+ answered 200 in \d+ ms$/);
    await expect(call(`${receiver.url}/complains`)).rejects.toThrow(/^127.0.0.1:\d+ answered 500 in \d+ ms$/);
    const shown = await call(`${receiver.url}/tells`, { logResponse: true, mask });
    expect(shown).toMatch(/^127.0.0.1:\d+ answered 200 in \d+ ms: \*\*\* x+…$/);
    expect(shown.length).toBeLessThan(1100);
    await expect(call(`${receiver.url}/complains`, { logResponse: true, mask })).rejects.toThrow(
      / answered 500 in \d+ ms: \*\*\* x+…$/,
    );
  });

  test("that breaks off leaves the status as it is", async () => {
    const server = createTcpServer((socket) => {
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
        setImmediate(() => socket.destroy());
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port: there } = server.address() as AddressInfo;
    const shown = await call(`http://127.0.0.1:${there}/`, { logResponse: true, retries: 3 });
    expect(shown).toMatch(/ answered 200 in \d+ ms(: half)?$/);
    server.close();
  });
});

describe("a server that does not speak HTTP as asked fails the call:", () => {
  test.each([
    ["switches protocols", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"],
    ["speaks another protocol", "220 mail.example.com ESMTP\r\n"],
    ["says nothing", ""],
  ])("it %s", async (_, bytes) => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end(bytes));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port: there } = server.address() as AddressInfo;
    await expect(call(`http://127.0.0.1:${there}/`)).rejects.toThrow(` did not answer: `);
    server.close();
  });
});

describe("headers", () => {
  test("of the connection are refused, and the length of the body is told", async () => {
    for (const name of ["Transfer-Encoding", "content-length", "Connection", "Upgrade", "Expect"])
      await expect(call(`${receiver.url}/headers`, { headers: { [name]: "1" } })).rejects.toThrow(
        `its header ${name.toLowerCase()} must be left out: the server sets it`,
      );
    await call(`${receiver.url}/headers`, { method: "DELETE", body: '"ä"', headers: { "X-Team": "web" } });
    const [got] = await receiver.calls("/headers", 1);
    expect(got).toMatchObject({
      method: "DELETE",
      body: '"ä"',
      headers: { "content-length": "4", "content-type": "application/json", "x-team": "web" },
    });
  });
});

test("a call ends when its signal aborts, also while the host is looked up or the body is awaited", async () => {
  receiver.answer("/never", undefined);
  for (const [url, logResponse] of [
    [`${receiver.url}/never`, false],
    ["http://slow.test/", true],
  ] as const) {
    dns.answers.set("slow.test", [["203.0.113.1"]]);
    const controller = new AbortController();
    const policy = url.includes("slow") ? () => new Promise<undefined>(() => {}) : async () => undefined;
    const calling = callHttp(
      {
        url: new URL(url),
        urlKey: undefined,
        method: "GET",
        headers: {},
        secret: undefined,
        body: undefined,
        retries: 3,
        logResponse,
        mask: String,
      },
      policy,
      controller.signal,
    );
    controller.abort(new Error("stopped"));
    await expect(calling).rejects.toThrow("stopped");
  }
});
