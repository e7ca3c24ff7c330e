/** Chunks shorter than this (bytes) are put together. Those of TLS have up to 16 KiB. */
const SMALL = 4096;

/**
 * Adds a chunk to those of a message. Small ones are put together, each with one of its size, as a binary counter carries:
 * of a peer that sends a byte at a time one buffer for every 4 KiB is held and not one a byte, and no byte is copied more than a
 * dozen times.
 */
export function gather(chunks: Uint8Array[], chunk: Uint8Array): void {
  let last = chunk;
  for (let before = chunks.at(-1); before !== undefined; before = chunks.at(-1)) {
    if (before.length >= SMALL || before.length > last.length) break;
    chunks.pop();
    last = Buffer.concat([before, last]);
  }
  chunks.push(last);
}
