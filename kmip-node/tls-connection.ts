import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import type { Encoding } from "#protocol/kmip/index.ts";
import { Queue } from "#protocol/queue.ts";
import { Framing, RESPONSE_MESSAGE } from "./framing.ts";
import { TextFraming } from "./text-framing.ts";

/** One KMIP server, TTLV over TLS. */
export interface TlsServer {
  host: string;
  port: number;
  /** Name that the server's certificate must carry; the host by default. */
  serverName?: string;
}

export interface TlsConnectionOptions {
  /** PEM: the authority of the server's certificate, the client's certificate and its private key. */
  ca: string;
  cert: string;
  key: string;
  /** For a private key that is encrypted. */
  passphrase?: string;
  /** How messages are encoded; TTLV by default, the only encoding that the profiles have without HTTPS. */
  encoding?: Encoding;
  /** Longest response in bytes; 16 MiB by default. */
  limit?: number;
  /** A connection that has been idle this long (ms) is not used again; 30 s by default. */
  idleTimeout?: number;
  /** How long (ms) a request may take to be answered; 30 s by default. */
  timeout?: number;
  /** How long (ms) a connection may take to open, TLS handshake included; 10 s by default. */
  connectTimeout?: number;
}

/**
 * A request without an answer. `unreachable`: it was never sent, so it can go elsewhere. `interrupted`: it was sent and
 * the connection ended (or took too long), so it may have been executed.
 */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly code: "unreachable" | "interrupted";

  constructor(code: TransportError["code"], message: string, options?: { cause: unknown }) {
    super(message, options);
    this.code = code;
  }
}

interface Waiting {
  resolve: (response: Uint8Array) => void;
  reject: (error: TransportError) => void;
  timer: NodeJS.Timeout;
}

/** One TLS connection with requests pipelined on it (answers come in order). Once ended, it stays so. */
export class TlsConnection {
  readonly server: TlsServer;
  #socket: TLSSocket;
  readonly #waiting = new Queue<Waiting>();
  #open = false;
  #ended = false;
  #timeout: number;

  constructor(server: TlsServer, options: TlsConnectionOptions) {
    const { limit = 16 * 1024 * 1024, idleTimeout = 30_000, timeout = 30_000 } = options;
    this.server = server;
    this.#timeout = timeout;
    const socket = connect(tlsOptions(server, options));
    this.#socket = socket;
    const opening = setTimeout(
      () => this.#end("it took too long to connect"),
      options.connectTimeout ?? 10_000,
    );
    const { encoding = "ttlv" } = options;
    const framing =
      encoding === "ttlv"
        ? new Framing(RESPONSE_MESSAGE, limit)
        : new TextFraming(encoding, "ResponseMessage", limit);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 15_000);
    socket.setTimeout(idleTimeout, () => {
      if (this.#open && this.#waiting.length === 0) this.#end("idle");
    });
    socket.once("secureConnect", () => {
      clearTimeout(opening);
      this.#open = true;
    });
    socket.on("data", (chunk) => {
      try {
        for (const response of framing.push(chunk)) this.#answered(response);
      } catch (error) {
        this.#end("it sent what is no answer", error);
      }
    });
    // What is sent from now on would not be read.
    socket.on("end", () => this.#end("it closed the connection"));
    socket.on("error", (error) => this.#end(error.message, error));
    socket.on("close", () => {
      clearTimeout(opening);
      this.#end("it closed the connection");
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Requests on their way. */
  get load(): number {
    return this.#waiting.length;
  }

  /** Sends one encoded request message, resolves with the encoded response; throws `TransportError`. */
  exchange(request: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#end("it did not answer in time"), this.#timeout);
      this.#waiting.push({ resolve, reject, timer });
      this.#socket.ref();
      this.#write(request);
    });
  }

  /** Requests that are made at one time leave in one record. */
  #write(request: Uint8Array): void {
    const socket = this.#socket;
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(() => socket.uncork());
    }
    socket.write(request);
  }

  close(): void {
    this.#end("closed here");
  }

  #answered(response: Uint8Array): void {
    const next = this.#waiting.shift();
    if (!next) throw new Error("The server answered without being asked");
    clearTimeout(next.timer);
    next.resolve(response);
    // A connection that waits for nothing does not keep the process alive.
    if (this.#waiting.length === 0) this.#socket.unref();
  }

  #end(reason: string, cause?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    const { host, port } = this.server;
    const error = new TransportError(
      this.#open ? "interrupted" : "unreachable",
      `KMIP server ${host}:${port}: ${reason}`,
      ...(cause === undefined ? [] : [{ cause }]),
    );
    for (let one = this.#waiting.shift(); one; one = this.#waiting.shift()) {
      clearTimeout(one.timer);
      one.reject(error);
    }
  }
}

function tlsOptions(
  server: TlsServer,
  { ca, cert, key, passphrase }: TlsConnectionOptions,
): ConnectionOptions {
  const { host, port, serverName } = server;
  const isAddress = /^[\d.]+$|:/.test(host);
  return {
    host,
    port,
    ca,
    cert,
    key,
    ...(passphrase === undefined ? {} : { passphrase }),
    minVersion: "TLSv1.2",
    rejectUnauthorized: true,
    ...(serverName ? { servername: serverName } : isAddress ? {} : { servername: host }),
  };
}
