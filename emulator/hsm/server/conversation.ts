import type { TLSSocket } from "node:tls";
import { Framing, FramingError, REQUEST_MESSAGE } from "#kmip-node/framing.ts";
import { TextFraming } from "#kmip-node/text-framing.ts";
import { join } from "#protocol/bytes.ts";
import { Queue } from "#protocol/queue.ts";
import type { Executed, ListenerOptions, Origin } from "./listener.ts";
import { tooLong } from "./refused-connections.ts";

/** Requests read ahead on one connection before reading waits for the answers. */
const MAX_PIPELINED = 64;
/** Bytes of answers that may wait for the disk before execution waits too. */
const MAX_HELD = 1024 * 1024;
/** How long (ms) a client may take to close its side after ours is closed. */
const LINGER = 1000;

/**
 * One connection. Requests may be pipelined: they are executed and answered in order, and those that come together share
 * a sync of the disk and a write to the socket. What was executed is answered, no matter who ends the conversation: a client
 * that closes its side after the last request, one that goes on with what is no KMIP, or a server that stops.
 */
export class Conversation {
  readonly #socket: TLSSocket;
  readonly #identity: string;
  readonly #options: ListenerOptions;
  #encoding: Origin["encoding"] = "ttlv";
  #framing: Framing | TextFraming | undefined;
  readonly #waiting = new Queue<Uint8Array>();
  #executing = false;
  readonly #executed: Executed[] = [];
  #held = 0;
  #sending: Promise<void> | undefined;
  /** Nothing more is read; the socket is closed once all is answered. */
  #finishing = false;

  constructor(socket: TLSSocket, identity: string, options: ListenerOptions) {
    this.#socket = socket;
    this.#identity = identity;
    this.#options = options;
    const { idleTimeout } = options;
    socket.setNoDelay(true);
    socket.setTimeout(idleTimeout);
    // Each time: a listener that is given to `setTimeout` hears the first one alone.
    socket.on("timeout", () => {
      // Long work is waited for, but not a client that does not take its answers.
      if (socket.writableLength === 0 && this.#busy) socket.setTimeout(idleTimeout);
      else socket.destroy();
    });
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => this.#take(chunk));
    // A half-open connection lives no longer than an idle one, whatever is still to be done.
    socket.on("end", () => this.finish(idleTimeout));
  }

  /** Reads no more, answers what came until now, closes; after `patience` (ms) it closes in any case. */
  finish(patience: number): void {
    if (this.#finishing) return;
    this.#finishing = true;
    const timer = setTimeout(() => this.#socket.destroy(), patience);
    this.#socket.once("close", () => clearTimeout(timer));
    if (!this.#busy) this.#end();
  }

  get #busy(): boolean {
    return this.#executing || this.#sending !== undefined;
  }

  #take(chunk: Uint8Array): void {
    if (this.#finishing) return;
    const { limit } = this.#options;
    // What the first byte begins decides for the connection: a TTLV tag (0x42), or text.
    if (!this.#framing) {
      this.#encoding = chunk[0] === 0x7b ? "json" : chunk[0] === 0x3c ? "xml" : "ttlv";
      this.#framing =
        this.#encoding === "ttlv"
          ? new Framing(REQUEST_MESSAGE, limit)
          : new TextFraming(this.#encoding, "RequestMessage", limit);
    }
    let end = false;
    try {
      for (const request of this.#framing.push(chunk)) this.#waiting.push(request);
    } catch (error) {
      if (!(error instanceof FramingError)) throw error;
      // What follows cannot be told apart any more (KMIP has no resynchronisation).
      this.#tell(error);
      end = true;
    }
    if (this.#waiting.length >= MAX_PIPELINED) this.#socket.pause();
    if (!this.#executing && this.#waiting.length > 0) this.#execute().catch(() => this.#socket.destroy());
    if (end) this.finish(this.#options.idleTimeout);
  }

  #tell({ code }: FramingError): void {
    const refusal =
      code === "too-long"
        ? tooLong(this.#options.limit)
        : ({
            code: "not-kmip",
            reason:
              "What came in is no KMIP message: this port is for TTLV, and POST /kmip has a port of its own.",
          } as const);
    const from = this.#socket.remoteAddress;
    this.#options.refused(refusal, { transport: "tls", from, identity: this.#identity });
  }

  async #execute(): Promise<void> {
    this.#executing = true;
    for (let request = this.#waiting.shift(); request; request = this.#waiting.shift()) {
      const origin = { identity: this.#identity, transport: "tls", encoding: this.#encoding } as const;
      const done = await this.#options.serve(request, origin);
      if (this.#socket.destroyed) return;
      this.#executed.push(done);
      this.#held += done.response.length;
      this.#sending ??= this.#send();
      if (this.#held > MAX_HELD) await this.#sending;
    }
    this.#executing = false;
    if (this.#finishing && !this.#busy) this.#end();
  }

  async #send(): Promise<void> {
    const socket = this.#socket;
    try {
      for (let [next] = this.#executed; next; [next] = this.#executed) {
        await next.durable;
        // What was executed in the meantime goes with it.
        const together = this.#executed.splice(0);
        this.#held = 0;
        await together.at(-1)?.durable;
        if (socket.destroyed) return;
        if (!socket.write(join(together.map(({ response }) => response)))) await drained(socket);
        if (this.#waiting.length < MAX_PIPELINED && !this.#finishing) socket.resume();
      }
    } catch {
      // Not durable: nothing may be answered.
      socket.destroy();
    } finally {
      this.#sending = undefined;
    }
    if (this.#finishing && !this.#busy) this.#end();
  }

  /** What still comes is read and thrown away: closing over unread bytes would take the last answer with it (RST). */
  #end(): void {
    const socket = this.#socket;
    socket.end();
    socket.resume();
    if (socket.readableEnded) return;
    const timer = setTimeout(() => socket.destroy(), LINGER);
    socket.once("close", () => clearTimeout(timer));
  }
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
