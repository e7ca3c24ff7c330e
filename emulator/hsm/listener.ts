import { constants } from "node:crypto";
import type { TlsOptions } from "node:tls";
import type { Pki } from "./pki.ts";

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
  serve: Serve;
  host: string;
  /** 0 takes a free port. */
  port: number;
  /** Longest request in bytes. */
  limit: number;
  /** A connection is closed when nothing was heard for so long (ms), in the middle of a message too. */
  idleTimeout: number;
}

export interface Listener {
  port: number;
  close(): Promise<void>;
}

/**
 * Profiles 2.1 §3.1: TLS 1.3 and 1.2, nothing older, and a client certificate always. No session tickets: each
 * connection proves its certificate again.
 */
export function tlsServerOptions({ server, clientCa }: Pki): TlsOptions {
  return {
    cert: server.cert,
    key: server.key,
    ca: clientCa,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
    handshakeTimeout: 10_000,
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  };
}

/** Connections held at one time; the next ones are refused. */
export const MAX_CONNECTIONS = 512;
