/** Byte streams over a port with credit: a sender never has more than WINDOW bytes under way. */
import { Queue } from "../queue.ts";
import { GarbageNudge } from "./garbage.ts";
import { CHUNK, CREDIT, type Message, violation, WINDOW } from "./messages.ts";

export type Post = (message: Message, transfer?: ArrayBuffer[]) => void;

/** Sends chunks as credit allows. `fail` wakes a waiting write, which then throws the reason. */
export class StreamSender {
  readonly #id: number;
  readonly #post: Post;
  readonly #garbage = new GarbageNudge();
  #credit = WINDOW;
  #wake: (() => void) | undefined;
  #failure: { reason: unknown } | undefined;

  constructor(id: number, post: Post) {
    this.#id = id;
    this.#post = post;
  }

  /** Sends all of `chunk`. With `give` a chunk that is its whole buffer is transferred; otherwise bytes are copied. */
  async write(chunk: Uint8Array, give: boolean): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const size = Math.min(CHUNK, chunk.length - at);
      while (this.#credit < size && !this.#failure) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      if (this.#failure) throw this.#failure.reason;
      const whole = give && size === chunk.buffer.byteLength && chunk.buffer instanceof ArrayBuffer;
      const bytes = whole ? (chunk.buffer as ArrayBuffer) : chunk.slice(at, at + size).buffer;
      this.#credit -= size;
      at += size;
      this.#garbage.count(size);
      this.#post({ v: 1, type: "chunk", id: this.#id, bytes }, [bytes]);
    }
  }

  end(): void {
    if (!this.#failure) this.#post({ v: 1, type: "end", id: this.#id });
  }

  grant(bytes: number): void {
    if (this.#credit + bytes > WINDOW) violation();
    this.#credit += bytes;
    this.#wake?.();
  }

  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#wake?.();
  }
}

/** Receives chunks as a ReadableStream; credit goes back only when the consumer takes them. */
export class StreamReceiver {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #queue = new Queue<ArrayBuffer>();
  readonly #garbage = new GarbageNudge();
  #held = 0;
  /** Bytes that were taken and for which no credit was given yet. */
  #owed = 0;
  #ended = false;
  #failure: { reason: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** `onCancel` is called when the consumer gives up. */
  constructor(id: number, post: Post, onCancel: (reason: unknown) => void) {
    this.readable = new ReadableStream(
      {
        pull: async (controller) => {
          while (this.#queue.length === 0 && !this.#ended && !this.#failure) {
            await new Promise<void>((resolve) => {
              this.#wake = resolve;
            });
          }
          // A failure overtakes what is queued: nobody should go on with bytes of a call that has failed.
          if (this.#failure) return controller.error(this.#failure.reason);
          const bytes = this.#queue.shift();
          if (!bytes) return controller.close();
          const size = bytes.byteLength;
          this.#held -= size;
          this.#garbage.count(size);
          controller.enqueue(new Uint8Array(bytes));
          this.#owed += size;
          if (this.#owed < CREDIT || this.#ended) return;
          post({ v: 1, type: "credit", id, bytes: this.#owed });
          this.#owed = 0;
        },
        cancel: (reason) => {
          this.#queue.clear();
          this.#failure ??= { reason };
          onCancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  chunk(bytes: ArrayBuffer): void {
    if (this.#ended || this.#held + bytes.byteLength > WINDOW) violation();
    if (this.#failure) return;
    this.#held += bytes.byteLength;
    this.#queue.push(bytes);
    this.#wake?.();
  }

  end(): void {
    if (this.#ended) violation();
    this.#ended = true;
    this.#wake?.();
  }

  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#queue.clear();
    this.#wake?.();
  }
}
