/**
 * Keeps what has been streamed from piling up as garbage. Chromium collects buffers that nobody uses any more only after some
 * 64 MiB of them, and what hangs on them (Blobs in its own process, the cipher's copies) comes on top, in each of the two
 * realms. An ArrayBuffer that is made and dropped at once counts as external memory in V8's bookkeeping, and so makes it
 * collect early; as nobody touches it, it takes no memory. Measured: docs/decisions/0009-memory-of-large-files.md.
 */

/** Bytes streamed between two collections. */
const STEP = 8 << 20;
/** V8's limit for external memory is 64 MiB more than there was after the last collection. */
const WEIGHT = 64 << 20;

export class GarbageNudge {
  #bytes = 0;

  /** Counts bytes that have become garbage or soon will. */
  count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < STEP) return;
    this.#bytes = 0;
    try {
      new ArrayBuffer(WEIGHT);
    } catch {
      // Where there is no room for it there is a collection as well.
    }
  }
}
