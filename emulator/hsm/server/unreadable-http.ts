import type { Server } from "node:https";
import type { TLSSocket } from "node:tls";
import type { Refusal } from "../identity/refusal.ts";
import type { ListenerOptions } from "./listener.ts";

const NOT_HTTP: Refusal = {
  code: "not-http",
  reason:
    "What came in is no HTTP request: this port is for POST /kmip, and TTLV alone has a port of its own.",
};

/** What Node answers to a client that it cannot read, by its error code; 400 for the others. */
const STATUS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "413 Payload Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

/** Answers what cannot be read as HTTP as Node does, and reports it. */
export function unreadableHttp(
  server: Server,
  { refused }: ListenerOptions,
  identityOf: (socket: TLSSocket) => string | undefined,
): void {
  server.on("clientError", (error: Error & { code?: string }, stream) => {
    const socket = stream as TLSSocket;
    if (error.code?.startsWith("HPE_"))
      refused(NOT_HTTP, { transport: "https", from: socket.remoteAddress, identity: identityOf(socket) });
    if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
    socket.end(`HTTP/1.1 ${STATUS[error.code ?? ""] ?? "400 Bad Request"}\r\nConnection: close\r\n\r\n`);
    socket.destroySoon();
  });
}
