import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { clientIdentity } from "./client-identity.ts";
import { Framing, REQUEST_MESSAGE } from "./framing.ts";
import {
  type Listener,
  type ListenerOptions,
  MAX_CONNECTIONS,
  type Origin,
  tlsServerOptions,
} from "./listener.ts";
import { TextFraming } from "./text-framing.ts";

/** Requests read ahead on one connection before reading waits for the answers. */
const MAX_PIPELINED = 64;

/** KMIP as TTLV over mutual TLS (KMIP 2.1 §10.3): requests may be pipelined, answers keep their order. */
export function listenTtlv(options: ListenerOptions): Promise<Listener> {
  const sockets = new Set<TLSSocket>();
  const server = createServer({ ...tlsServerOptions(options.pki), ALPNProtocols: [] }, (socket) => {
    const identity = clientIdentity(socket);
    if (identity === undefined) return socket.destroy();
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    converse(socket, identity, options);
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            for (const socket of sockets) socket.destroy();
          }),
      });
    });
  });
}

function converse(socket: TLSSocket, identity: string, { serve, limit, idleTimeout }: ListenerOptions): void {
  let encoding: Origin["encoding"] = "ttlv";
  let framing: Framing | TextFraming | undefined;
  const waiting: Uint8Array[] = [];
  let answering = false;

  const answer = async () => {
    answering = true;
    for (let request = waiting.shift(); request; request = waiting.shift()) {
      const response = await serve(request, { identity, transport: "tls", encoding });
      if (socket.destroyed) break;
      if (!socket.write(response)) await drained(socket);
      if (waiting.length < MAX_PIPELINED) socket.resume();
    }
    answering = false;
  };

  socket.setNoDelay(true);
  socket.setTimeout(idleTimeout, () => {
    if (!answering) socket.destroy();
  });
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    // What the first byte begins decides for the connection: a TTLV tag (0x42), or text.
    if (!framing) {
      encoding = chunk[0] === 0x7b ? "json" : chunk[0] === 0x3c ? "xml" : "ttlv";
      framing =
        encoding === "ttlv"
          ? new Framing(REQUEST_MESSAGE, limit)
          : new TextFraming(encoding, "RequestMessage", limit);
    }
    try {
      for (const request of framing.push(chunk)) waiting.push(request);
    } catch {
      // What follows cannot be told apart any more (KMIP has no resynchronisation).
      socket.destroy();
      return;
    }
    if (waiting.length >= MAX_PIPELINED) socket.pause();
    if (!answering) answer().catch(() => socket.destroy());
  });
}

function drained(socket: TLSSocket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.on("drain", done);
    socket.on("close", done);
  });
}
