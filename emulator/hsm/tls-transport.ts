import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { Framing, RESPONSE_MESSAGE } from "./framing.ts";

export interface TlsTransportOptions {
  host: string;
  port: number;
  /** PEM: the authority of the server's certificate, the client's certificate and its private key. */
  ca: string;
  cert: string;
  key: string;
  /** Name that the server's certificate must carry; the host by default. */
  serverName?: string;
  /** Longest response in bytes; 16 MiB by default. */
  limit?: number;
  /** A connection that has been idle this long (ms) is not used again; 30 s by default. */
  idleTimeout?: number;
  /** How long (ms) a connection may take to open and a request to be answered; 30 s by default. */
  timeout?: number;
}

export interface TlsTransport {
  /** Sends one encoded request message, resolves with the encoded response. Calls may overlap (pipelined). */
  exchange(request: Uint8Array): Promise<Uint8Array>;
  close(): void;
}

interface Waiting {
  resolve: (response: Uint8Array) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
}

/**
 * KMIP over mutual TLS: one connection, opened on first use, kept, and opened again after the server or the idle
 * time closed it. A request whose connection broke is rejected and never sent twice: it may have been executed.
 */
export function tlsTransport(options: TlsTransportOptions): TlsTransport {
  const { limit = 16 * 1024 * 1024, idleTimeout = 30_000, timeout = 30_000 } = options;
  let connection: { socket: TLSSocket; waiting: Waiting[] } | undefined;

  function open() {
    const socket = connect(tlsOptions(options));
    const opened = { socket, waiting: [] as Waiting[] };
    const framing = new Framing(RESPONSE_MESSAGE, limit);
    const end = (error: Error) => {
      if (connection === opened) connection = undefined;
      socket.destroy();
      for (const { reject, timer } of opened.waiting.splice(0)) {
        clearTimeout(timer);
        reject(error);
      }
    };
    socket.setNoDelay(true);
    socket.setTimeout(idleTimeout, () => {
      if (opened.waiting.length === 0) end(new Error("idle"));
    });
    socket.on("data", (chunk) => {
      try {
        for (const response of framing.push(chunk)) {
          const next = opened.waiting.shift();
          if (!next) throw new Error("The HSM answered without being asked");
          clearTimeout(next.timer);
          next.resolve(response);
        }
        if (opened.waiting.length === 0) socket.unref();
      } catch (error) {
        end(error as Error);
      }
    });
    socket.on("error", end);
    socket.on("close", () => end(new Error("The HSM closed the connection")));
    return opened;
  }

  return {
    exchange(request) {
      connection ??= open();
      const used = connection;
      return new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => used.socket.destroy(new Error("The HSM did not answer in time")),
          timeout,
        );
        used.waiting.push({ resolve, reject, timer });
        used.socket.ref();
        used.socket.write(request);
      });
    },
    close() {
      connection?.socket.destroy();
      connection = undefined;
    },
  };
}

function tlsOptions({ host, port, ca, cert, key, serverName }: TlsTransportOptions): ConnectionOptions {
  const isAddress = /^[\d.]+$|:/.test(host);
  return {
    host,
    port,
    ca,
    cert,
    key,
    minVersion: "TLSv1.2",
    rejectUnauthorized: true,
    ...(serverName ? { servername: serverName } : isAddress ? {} : { servername: host }),
  };
}
