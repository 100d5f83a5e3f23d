import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Treatment of a request: answered by git, held until the test or the client ends it, or refused with a status. */
export type Fate = "answer" | "hold" | "drip" | number;

export interface GitHttpOptions {
  /** Folder of the repositories that it serves. */
  root: string;
  /** Credentials that requests need; default: none. */
  login?: { login: string; password: string };
  /** Files of git LFS, by SHA-256. */
  files?: ReadonlyMap<string, Buffer>;
  /** Called for each authorized request. Default: always "answer". */
  fate?: (path: string, count: number) => Fate;
}

/** A real git server by HTTP on loopback: `git http-backend`, and a password if one is set. */
export interface GitHttp extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** Paths with their queries, in order, including requests without a right password. */
  readonly requests: readonly string[];
  /** User names of the requests. */
  readonly logins: readonly string[];
  /** Resolves when a request is held. */
  readonly held: Promise<void>;
}

export async function startGitHttp(options: GitHttpOptions): Promise<GitHttp> {
  const { root, login, files = new Map(), fate = () => "answer" } = options;
  const requests: string[] = [];
  const logins: string[] = [];
  const { promise: held, resolve: hold } = Promise.withResolvers<void>();
  let count = 0;
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    requests.push(path);
    const [user = "", password = ""] = credentialsOf(request);
    if (user) logins.push(user);
    if (login && (user !== login.login || password !== login.password)) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="test"' }).end();
      return;
    }
    const decided = fate(path, ++count);
    if (typeof decided === "number") response.writeHead(decided).end();
    else if (decided === "hold") hold();
    else if (path.endsWith("/info/lfs/objects/batch")) answerBatch(request, response);
    else if (path.startsWith("/lfs/")) response.end(files.get(path.slice("/lfs/".length)));
    else answer(root, request, response, decided === "drip" ? hold : undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    logins,
    held,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

function credentialsOf({ headers }: IncomingMessage): string[] {
  const [, encoded = ""] = /^Basic (.*)$/.exec(headers.authorization ?? "") ?? [];
  const text = Buffer.from(encoded, "base64").toString();
  const colon = text.indexOf(":");
  return colon < 0 ? [] : [text.slice(0, colon), text.slice(colon + 1)];
}

/** Says where to get what git LFS asks for: https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md */
function answerBatch(request: IncomingMessage, response: ServerResponse): void {
  const pieces: Buffer[] = [];
  request.on("data", (piece: Buffer) => pieces.push(piece));
  request.on("end", () => {
    const { objects } = JSON.parse(Buffer.concat(pieces).toString()) as { objects: { oid: string }[] };
    const found = objects.map((object) => ({
      ...object,
      actions: { download: { href: `http://${request.headers.host}/lfs/${object.oid}` } },
    }));
    response.setHeader("content-type", "application/vnd.git-lfs+json");
    response.end(JSON.stringify({ transfer: "basic", objects: found }));
  });
}

/** Sends git's response. `dripped`: only its first half is sent; then the callback is called, and nothing more comes. */
function answer(
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
  dripped?: () => void,
): void {
  const url = new URL(request.url ?? "", "http://host");
  const backend = spawn("git", ["http-backend"], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "safe.directory",
      GIT_CONFIG_VALUE_0: "*",
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
      GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  request.pipe(backend.stdin);
  backend.stdin.on("error", () => {}); // it may end before it has read all
  const pieces: Buffer[] = [];
  backend.stdout.on("data", (piece: Buffer) => pieces.push(piece));
  backend.on("close", () => {
    const whole = Buffer.concat(pieces);
    const end = whole.indexOf("\r\n\r\n");
    for (const line of whole.toString("latin1", 0, end).split("\r\n")) {
      const [name = "", value = ""] = line.split(/: (.*)/s);
      if (name === "Status") response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    const body = whole.subarray(end + 4);
    if (!dripped) return void response.end(body);
    response.write(body.subarray(0, body.length / 2), dripped);
  });
}
