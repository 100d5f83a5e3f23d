import { type Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { Code } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";
import type { BrokenRequest } from "./broken.ts";

/** Response; `code` undefined: OK. */
export interface RawAnswer {
  code: Code | undefined;
  message: string;
}

const HEAD = 5;

/**
 * Sends bytes unchanged over HTTP/1.1 and returns the end of the response. After `patienceMs` of a stream the client
 * cancels it, which counts as OK.
 */
export async function rawCall(
  url: string,
  broken: BrokenRequest,
  agent: Agent,
  patienceMs: number,
): Promise<RawAnswer> {
  const leave = AbortSignal.timeout(patienceMs);
  const headers = {
    "content-type": broken.contentType,
    "content-length": broken.body.length,
    ...broken.headers,
  };
  const sent = httpRequest(url, { method: "POST", agent, headers, signal: leave });
  sent.end(broken.body);
  const chunks: Buffer[] = [];
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) =>
      sent.once("response", resolve).once("error", reject),
    );
    for await (const chunk of response) chunks.push(chunk);
    return readEnd(response, Buffer.concat(chunks));
  } catch (error) {
    if (leave.aborted) return { code: undefined, message: "left" };
    throw error;
  }
}

function readEnd(response: IncomingMessage, body: Buffer): RawAnswer {
  const type = String(response.headers["content-type"]);
  if (type.startsWith("application/grpc-web")) return grpcWebEnd(response, body);
  if (type.startsWith("application/connect+")) return connectEnd(body);
  if (response.statusCode === 200) return { code: undefined, message: "" };
  return jsonError(body.toString());
}

function jsonError(text: string): RawAnswer {
  const { code, message } = JSON.parse(text) as { code?: string; message?: string };
  const known = codeFromString(code ?? "");
  if (known === undefined) throw new Error(`An error without a code: ${text.slice(0, 200)}`);
  return { code: known, message: message ?? "" };
}

function connectEnd(body: Buffer): RawAnswer {
  const last = lastFrame(body);
  const { error } = JSON.parse(last) as { error?: object };
  return error ? jsonError(JSON.stringify(error)) : { code: undefined, message: "" };
}

function grpcWebEnd({ headers }: IncomingMessage, body: Buffer): RawAnswer {
  const text = body.length > 0 ? lastFrame(body) : "";
  const field = (name: string) =>
    new RegExp(`^${name}: *(.*)$`, "m").exec(text)?.[1]?.trim() ?? (headers[name] as string | undefined);
  const status = field("grpc-status");
  if (status === undefined) throw new Error(`An answer of gRPC-Web without a status: ${text.slice(0, 200)}`);
  const code = Number(status) as Code;
  return { code: code in Code ? code : undefined, message: field("grpc-message") ?? "" };
}

/** Returns the content of the last frame. */
function lastFrame(body: Buffer): string {
  let at = 0;
  for (;;) {
    const end = at + HEAD + body.readUInt32BE(at + 1);
    if (end >= body.length) return body.subarray(at + HEAD, end).toString();
    at = end;
  }
}
