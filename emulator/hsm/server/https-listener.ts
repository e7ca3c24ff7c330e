import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { mediaTypeOf } from "#protocol/media-type.ts";
import { AnswersDue } from "./answers-due.ts";
import {
  admitting,
  FAREWELL,
  type Listener,
  type ListenerOptions,
  type Origin,
  tlsServerOptions,
} from "./listener.ts";
import { tooLong } from "./refused-connections.ts";
import { unreadableHttp } from "./unreadable-http.ts";

/** Content types (KMIP Profiles 2.1 §5.3 HTTPS Profiles, §5.4 XML Profiles, §5.5 JSON Profiles). */
const ENCODINGS: Record<string, Origin["encoding"]> = {
  "application/octet-stream": "ttlv",
  "application/json": "json",
  "text/xml": "xml",
};

/** KMIP over HTTPS: `POST /kmip` with a client certificate; a KMIP error is a 200 with a KMIP answer. */
export function listenHttps(options: ListenerOptions): Promise<Listener> {
  const due = new AnswersDue();
  const take = (request: IncomingMessage, response: ServerResponse) => {
    answer(request, response, options, identityOf, due).catch(() => response.destroy());
  };
  const server = createServer({ ...tlsServerOptions(options), maxHeaderSize: 16 * 1024 }, take);
  const identityOf = admitting(server, "https", options);
  server.on("secureConnection", (socket) => {
    if (identityOf(socket) === undefined) socket.destroy();
    else due.open(socket);
  });
  // Node's own name for it: a client that closes its side after a request still gets its answer.
  Object.assign(server, { httpAllowHalfOpen: true });
  unreadableHttp(server, options, identityOf);
  server.keepAliveTimeout = options.idleTimeout;
  server.setTimeout(options.idleTimeout, (socket) => {
    if (due.isWaiting(socket as TLSSocket)) socket.setTimeout(options.idleTimeout);
    else socket.destroy();
  });
  server.requestTimeout = options.idleTimeout;
  server.headersTimeout = Math.min(options.idleTimeout, 60_000);
  // Nobody is asked to send a body that will be refused: the answer comes before 100 Continue.
  server.on("checkContinue", take);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            due.stop(FAREWELL);
          }),
      });
    });
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { serve, limit, refused }: ListenerOptions,
  identityOf: (socket: TLSSocket) => string | undefined,
  due: AnswersDue,
): Promise<void> {
  const identity = identityOf(request.socket as TLSSocket);
  if (identity === undefined) return void request.destroy();
  if (request.url?.split("?", 1)[0] !== "/kmip") return refuse(response, 404);
  if (request.method !== "POST") return refuse(response, 405, { Allow: "POST" });
  const contentType = mediaTypeOf(request.headers["content-type"]);
  const encoding = Object.hasOwn(ENCODINGS, contentType) ? ENCODINGS[contentType] : undefined;
  if (!encoding) return refuse(response, 406);
  const length = request.headers["content-length"];
  if (length === undefined || request.headers["transfer-encoding"] !== undefined)
    return refuse(response, 411);
  if (!(Number(length) <= limit)) {
    const from = request.socket.remoteAddress;
    refused(tooLong(limit), { transport: "https", from, identity });
    return refuse(response, 413);
  }
  if (request.headers.expect !== undefined) response.writeContinue();
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  if (!due.begin(request.socket as TLSSocket, response)) return void request.destroy();
  const { response: reply, durable } = await serve(new Uint8Array(body), {
    identity,
    transport: "https",
    encoding,
  });
  await durable;
  response.writeHead(200, {
    "Content-Type": contentType,
    "Content-Length": reply.length,
    "Cache-Control": "no-cache",
  });
  response.end(reply);
}

/** The body was not read, so the connection cannot be used again. */
function refuse(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, {
    ...headers,
    "Content-Length": 0,
    "Cache-Control": "no-cache",
    Connection: "close",
  });
  response.end();
}
