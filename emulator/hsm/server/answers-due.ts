import type { ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";

/**
 * HTTPS connections, and how many answers are due on each: what was executed is answered, however long it took, and while
 * the server stops.
 */
export class AnswersDue {
  readonly #connections = new Map<TLSSocket, number>();
  #stopping = false;

  open(socket: TLSSocket): void {
    if (this.#stopping) return void socket.destroy();
    this.#connections.set(socket, 0);
    socket.once("close", () => this.#connections.delete(socket));
  }

  /** A request is about to be executed. False where the server stops: then it is not. */
  begin(socket: TLSSocket, response: ServerResponse): boolean {
    const due = this.#connections.get(socket);
    if (this.#stopping || due === undefined) return false;
    this.#connections.set(socket, due + 1);
    response.once("close", () => this.#answered(socket));
    return true;
  }

  /** A connection on which nothing was heard for long: an answer is waited for, but not a client that does not take it. */
  isWaiting(socket: TLSSocket): boolean {
    return socket.writableLength === 0 && (this.#connections.get(socket) ?? 0) > 0;
  }

  /** Ends each connection once its answers are written; after `patience` (ms) it ends in any case. */
  stop(patience: number): void {
    this.#stopping = true;
    for (const [socket, due] of this.#connections) {
      if (due === 0) {
        socket.destroySoon();
        continue;
      }
      const timer = setTimeout(() => socket.destroy(), patience);
      socket.once("close", () => clearTimeout(timer));
    }
  }

  #answered(socket: TLSSocket): void {
    const due = this.#connections.get(socket);
    if (due === undefined) return;
    this.#connections.set(socket, due - 1);
    if (this.#stopping && due === 1) socket.destroySoon();
  }
}
