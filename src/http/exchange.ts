import type http from "node:http";
import type http2 from "node:http2";
import type { Connection } from "./connection.ts";

/** Request and response of HTTP/1.1 and HTTP/2, with the connection on which they are exchanged. */
export type HttpRequest = http.IncomingMessage | http2.Http2ServerRequest;
export type HttpResponse = http.ServerResponse | http2.Http2ServerResponse;
export type Handler = (request: HttpRequest, response: HttpResponse, connection: Connection) => void;
