import { constants } from "node:crypto";
import type { Server, TLSSocket, TlsOptions } from "node:tls";
import { type ClientAuthorities, clientIdentity } from "../identity/client-identity.ts";
import type { Pki } from "../identity/pki.ts";
import { handshakeRefusal } from "./handshake-refusal.ts";
import type { TellRefusal } from "./refused-connections.ts";

/** How a message travelled and who sent it. */
export interface Origin {
  identity: string;
  transport: "tls" | "https";
  encoding: "ttlv" | "json" | "xml";
}

/** The encoded response to a request message, which may be sent when `durable` has resolved. */
export interface Executed {
  response: Uint8Array;
  durable: Promise<void>;
}

/** Executes one encoded request message; never throws for a bad message. */
export type Serve = (request: Uint8Array, origin: Origin) => Promise<Executed>;

export interface ListenerOptions {
  pki: Pki;
  /** Authorities beside that of the PKI whose clients are served (PEM). */
  clientAuthorities: readonly string[];
  /** Called with each refused connection. */
  refused: TellRefusal;
  serve: Serve;
  host: string;
  /** 0 takes a free port. */
  port: number;
  /** Longest request in bytes. */
  limit: number;
  /** A connection is closed when nothing was heard for this long (ms), in the middle of a message too. */
  idleTimeout: number;
}

export interface Listener {
  port: number;
  close(): Promise<void>;
}

/**
 * KMIP Profiles 2.1 §3.1 Basic Authentication Suite: TLS 1.3 and 1.2, nothing older, and a client certificate always. No session tickets: each
 * connection proves its certificate again. RSA beside ECDSA, for clients of TLS 1.2 that have nothing else.
 */
export function tlsServerOptions({ pki, clientAuthorities }: ListenerOptions): TlsOptions {
  const { server, rsaServer, clientCa } = pki;
  return {
    cert: [server.cert, rsaServer.cert],
    key: [server.key, rsaServer.key],
    ca: [clientCa, ...clientAuthorities],
    requestCert: true,
    // Node would close without a word: `admitting` refuses, and says why.
    rejectUnauthorized: false,
    minVersion: "TLSv1.2",
    handshakeTimeout: 10_000,
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  };
}

/** How long (ms) a listener that closes waits for answers that are due. */
export const FAREWELL = 5000;

/** Connections held at one time; the next ones are refused. */
const MAX_CONNECTIONS = 512;

/**
 * Reports every connection that is refused before it comes to a message, and gives the identity of the others. A client that has
 * none must be let go at once: the handshake alone proves nothing.
 */
export function admitting(
  server: Server,
  transport: Origin["transport"],
  { pki, clientAuthorities, refused }: ListenerOptions,
): (socket: TLSSocket) => string | undefined {
  const authorities: ClientAuthorities = { own: pki.clientCa, others: clientAuthorities };
  const identities = new WeakMap<TLSSocket, string | undefined>();
  server.maxConnections = MAX_CONNECTIONS;
  server.on("drop", (data) =>
    refused(
      { code: "too-many-connections", reason: "There are too many connections: close some." },
      { transport, from: data?.remoteAddress },
    ),
  );
  server.on("tlsClientError", (error, socket) => {
    refused(handshakeRefusal(error), { transport, from: socket.remoteAddress });
    socket.destroy();
  });
  return (socket) => {
    if (identities.has(socket)) return identities.get(socket);
    const admitted = clientIdentity(socket, authorities);
    const identity = "identity" in admitted ? admitted.identity : undefined;
    identities.set(socket, identity);
    // A client that closes its side after a request still reads the answer. (In the handshake it has nothing to wait for.)
    if (identity !== undefined) socket.allowHalfOpen = true;
    if ("refusal" in admitted) refused(admitted.refusal, { transport, from: socket.remoteAddress });
    return identity;
  };
}
