import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { concat } from "#protocol/bytes.ts";
import { clientIdentity } from "./client-identity.ts";
import { Framing, REQUEST_MESSAGE } from "./framing.ts";
import {
  type Executed,
  type Listener,
  type ListenerOptions,
  MAX_CONNECTIONS,
  type Origin,
  tlsServerOptions,
} from "./listener.ts";
import { TextFraming } from "./text-framing.ts";

/** Requests read ahead on one connection before reading waits for the answers. */
const MAX_PIPELINED = 64;
/** Bytes of answers that may wait for the disk before execution waits too. */
const MAX_HELD = 1024 * 1024;

/**
 * KMIP as TTLV over mutual TLS (KMIP 2.1 §10.3). Requests may be pipelined: they are executed and answered in order, and
 * those that come together share a sync of the disk and a write to the socket.
 */
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
  let executing = false;
  const executed: Executed[] = [];
  let held = 0;
  let sending: Promise<void> | undefined;

  const execute = async () => {
    executing = true;
    for (let request = waiting.shift(); request; request = waiting.shift()) {
      const done = await serve(request, { identity, transport: "tls", encoding });
      if (socket.destroyed) return;
      executed.push(done);
      held += done.response.length;
      sending ??= send();
      if (held > MAX_HELD) await sending;
    }
    executing = false;
  };

  const send = async () => {
    try {
      while (executed.length > 0) {
        await executed[0]!.durable;
        // What was executed in the meantime goes with it.
        const together = executed.splice(0);
        held = 0;
        await together.at(-1)!.durable;
        if (socket.destroyed) return;
        if (!socket.write(concat(...together.map(({ response }) => response)))) await drained(socket);
        if (waiting.length < MAX_PIPELINED) socket.resume();
      }
    } catch {
      // Not durable: nothing may be answered.
      socket.destroy();
    } finally {
      sending = undefined;
    }
  };

  socket.setNoDelay(true);
  socket.setTimeout(idleTimeout, () => {
    // Long work is waited for, but not a client that does not take its answers.
    if (socket.writableLength === 0 && (executing || sending)) socket.setTimeout(idleTimeout);
    else socket.destroy();
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
    if (!executing) execute().catch(() => socket.destroy());
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
