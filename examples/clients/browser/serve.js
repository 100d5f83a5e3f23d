// Serves the repository's files to a browser: node serve.js [PORT]. TypeScript goes without its types, since browsers run
// JavaScript only; a bundler (Vite, esbuild) does the same for an app.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { stripTypeScriptTypes } from "node:module";
import { extname } from "node:path";

const ROOT = new URL("../../../", import.meta.url);
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".ts": "text/javascript" };

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  const type = TYPES[extname(pathname)];
  try {
    if (type === undefined) throw new Error("only pages and scripts are served");
    const text = await readFile(new URL(`.${pathname}`, ROOT), "utf8");
    response.setHeader("content-type", `${type}; charset=utf-8`);
    response.end(pathname.endsWith(".ts") ? stripTypeScriptTypes(text) : text);
  } catch (error) {
    response.writeHead(404).end(String(error));
  }
});
server.listen(Number(process.argv[2] ?? 3000), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/examples/clients/browser/index.html`);
});
