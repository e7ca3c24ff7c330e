import { isRepeatable } from "./repeatable.ts";
import {
  TlsConnection,
  type TlsConnectionOptions,
  type TlsServer,
  TransportError,
} from "./tls-connection.ts";

export interface TlsTransport {
  /**
   * Sends one encoded request message, resolves with the encoded response. Calls may overlap.
   * Throws `TransportError`: `unreachable` when no server took it, `interrupted` when it may have been executed.
   */
  exchange(request: Uint8Array): Promise<Uint8Array>;
  close(): void;
}

export type TlsTransportOptions = TlsConnectionOptions & TlsServer;

export interface TlsPoolOptions extends TlsConnectionOptions {
  /** Servers that hold the same objects; the first that can be reached is used. */
  servers: readonly [TlsServer, ...TlsServer[]];
  /** Maximum connections at one time; 4 by default. More requests are pipelined. */
  connections?: number;
  /** How long (ms) a server that could not be reached is passed over; 10 s by default. */
  rest?: number;
  /** Milliseconds from any beginning that never go back. */
  clock?: () => number;
}

/** KMIP over mutual TLS on one connection, opened on first use, kept, and opened again after it has ended. */
export function tlsTransport({ host, port, serverName, ...options }: TlsTransportOptions): TlsTransport {
  return tlsPool({
    ...options,
    servers: [{ host, port, ...(serverName ? { serverName } : {}) }],
    connections: 1,
  });
}

/**
 * KMIP over mutual TLS on several connections to one of several servers. Connections are opened when they are needed and
 * opened again after the server or the idle time ended them. A request that could not be sent goes to the next server. A
 * request whose connection broke is sent again, once, if it only reads; otherwise it may have been executed and is
 * rejected.
 */
export function tlsPool(options: TlsPoolOptions): TlsTransport {
  const { servers, connections: maximum = 4, rest = 10_000, clock = () => performance.now() } = options;
  const restsUntil = new Map<TlsServer, number>();
  let connections: TlsConnection[] = [];
  let closed = false;

  /** The first server that is not resting; the one that rests least where all are. Undefined when all were tried. */
  function choose(tried: ReadonlySet<TlsServer>): TlsServer | undefined {
    const now = clock();
    const left = servers.filter((server) => !tried.has(server));
    const until = (server: TlsServer) => Math.max(restsUntil.get(server) ?? 0, now);
    return left.find((server) => until(server) === now) ?? left.sort((a, b) => until(a) - until(b))[0];
  }

  function take(tried: ReadonlySet<TlsServer>): TlsConnection | undefined {
    connections = connections.filter(({ ended }) => !ended);
    const usable = connections.filter(({ server }) => !tried.has(server));
    const idle = usable.find(({ load }) => load === 0);
    if (idle) return idle;
    if (usable.length === 0 || connections.length < maximum) {
      const server = choose(tried);
      if (!server) return undefined;
      const opened = new TlsConnection(server, options);
      connections.push(opened);
      return opened;
    }
    return usable.reduce((lightest, one) => (one.load < lightest.load ? one : lightest));
  }

  return {
    async exchange(request) {
      const tried = new Set<TlsServer>();
      let repeated = false;
      let failure = new TransportError("unreachable", "The transport is closed");
      while (!closed) {
        const connection = take(tried);
        if (!connection) break;
        try {
          const response = await connection.exchange(request);
          restsUntil.delete(connection.server);
          return response;
        } catch (error) {
          failure = error as TransportError;
          if (failure.code === "unreachable") {
            tried.add(connection.server);
            restsUntil.set(connection.server, clock() + rest);
          } else if (repeated || !isRepeatable(request)) break;
          else repeated = true;
        }
      }
      throw failure;
    },
    close() {
      closed = true;
      for (const connection of connections.splice(0)) connection.close();
    },
  };
}
