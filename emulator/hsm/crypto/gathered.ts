import { KmipError } from "#protocol/kmip/index.ts";

/** Maximum bytes that are held for an operation that works on the whole only. */
const MAX_GATHERED_BYTES = 4 * 1024 * 1024;

/** Pieces of data, kept until the last is there. */
export class Gathered {
  #pieces: Uint8Array[] = [];
  #length = 0;

  /** Keeps a piece and gives nothing yet. */
  push(data: Uint8Array): Uint8Array<ArrayBuffer> {
    this.#length += data.length;
    if (this.#length > MAX_GATHERED_BYTES)
      throw new KmipError("InvalidField", "Too much data for this operation");
    this.#pieces.push(data);
    return new Uint8Array();
  }

  take(): Uint8Array {
    return Buffer.concat(this.#pieces.splice(0), this.#length);
  }
}
