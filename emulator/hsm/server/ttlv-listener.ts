import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { Conversation } from "./conversation.ts";
import { admitting, FAREWELL, type Listener, type ListenerOptions, tlsServerOptions } from "./listener.ts";

/** KMIP as TTLV over mutual TLS (KMIP 2.1 §10.4 Transport). */
export function listenTtlv(options: ListenerOptions): Promise<Listener> {
  const conversations = new Set<Conversation>();
  const server = createServer({ ...tlsServerOptions(options), ALPNProtocols: [] });
  const identityOf = admitting(server, "tls", options);
  server.on("secureConnection", (socket: TLSSocket) => {
    const identity = identityOf(socket);
    if (identity === undefined) return void socket.destroy();
    const conversation = new Conversation(socket, identity, options);
    conversations.add(conversation);
    socket.on("close", () => conversations.delete(conversation));
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            for (const conversation of conversations) conversation.finish(FAREWELL);
          }),
      });
    });
  });
}
