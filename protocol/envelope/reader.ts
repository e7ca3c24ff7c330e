/** Reads a source in the pieces that frames need, whatever pieces it comes in. */
import { CofferError } from "../error.ts";

import { Queue } from "../queue.ts";

/** What can be sealed or opened. Views are read as views: from their offset, for their length. */
export type Source = Blob | Uint8Array | ReadableStream<Uint8Array>;
type Bytes = Uint8Array<ArrayBuffer>;

/** An error of the caller's own making (its source, its key): passed on as it is, never as a failure to decrypt. */
export class Foreign {
  readonly reason: unknown;

  constructor(reason: unknown) {
    this.reason = reason;
  }
}

type Chunks = { next(): Promise<Bytes | null>; cancel(reason: unknown): void };

export class ByteReader {
  readonly #input: Chunks;
  readonly #held = new Queue<Bytes>();
  #available = 0;
  #ended = false;
  #cancelled = false;

  constructor(source: Source) {
    this.#input = chunksOf(source);
  }

  /** Reads on until `length` bytes are there or the source has ended; returns how many there are. Throws once it was cancelled: that is no end. */
  async fill(length: number): Promise<number> {
    while (this.#available < length && !this.#ended) {
      const chunk = await this.#input.next();
      if (chunk === null) this.#ended = true;
      else if (chunk.length > 0) {
        this.#held.push(chunk);
        this.#available += chunk.length;
      }
    }
    if (this.#cancelled) throw new CofferError("cancelled");
    return this.#available;
  }

  /** Takes `length` bytes that `fill` has promised: a view where they lie together, else a copy. */
  take(length: number): Bytes {
    if (length > this.#available) throw new RangeError("take without fill");
    this.#available -= length;
    const { first } = this.#held;
    if (!first || length === 0) return new Uint8Array();
    if (first.length >= length) {
      if (first.length === length) this.#held.shift();
      else this.#held.replaceFirst(first.subarray(length));
      return first.subarray(0, length);
    }
    const joined = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const part = this.#held.first;
      if (!part) throw new RangeError("fewer bytes are held than were counted");
      const size = Math.min(part.length, length - at);
      joined.set(size === part.length ? part : part.subarray(0, size), at);
      at += size;
      if (size === part.length) this.#held.shift();
      else this.#held.replaceFirst(part.subarray(size));
    }
    return joined;
  }

  /** Puts back the last bytes taken. */
  untake(bytes: Bytes): void {
    if (bytes.length === 0) return;
    this.#held.unshift(bytes);
    this.#available += bytes.length;
  }

  /** Tells the source that no more is wanted. Never throws. */
  cancel(reason: unknown): void {
    this.#held.clear();
    this.#available = 0;
    this.#ended = true;
    this.#cancelled = true;
    this.#input.cancel(reason);
  }
}

function chunksOf(source: Source): Chunks {
  if (source instanceof Uint8Array) {
    let rest: Bytes | null = source as Bytes;
    const next = async () => {
      const chunk = rest;
      rest = null;
      return chunk;
    };
    return { next, cancel: () => {} };
  }
  const blob = source instanceof Blob;
  // A Blob not by slices, which take Chromium twice the work; nor by a BYOB reader, which stops for good now and then on a File's stream
  // when Chromium 156 is busy.
  const reader: ReadableStreamDefaultReader<Uint8Array> = (blob ? source.stream() : source).getReader();
  let left = blob ? source.size : Number.NaN;
  return {
    next: async () => {
      try {
        const { done, value } = await reader.read();
        // A File is read from the disk, where it may have become shorter or longer since it was chosen.
        left -= value?.length ?? 0;
        if (done ? left > 0 : left < 0) throw new CofferError("source-changed");
        if (!done && !(value instanceof Uint8Array)) throw new TypeError("a source gives Uint8Array chunks");
        return (value as Bytes | undefined) ?? null;
      } catch (reason) {
        throw new Foreign(
          blob && wasChanged(reason) ? new CofferError("source-changed", { cause: reason }) : reason,
        );
      }
    },
    cancel: (reason) => {
      reader.cancel(reason).catch(() => {});
    },
  };
}

/** What browsers say of a File that was changed, moved or deleted since it was chosen (File API §10.2). */
function wasChanged(reason: unknown): boolean {
  return reason instanceof DOMException && ["NotReadableError", "NotFoundError"].includes(reason.name);
}
