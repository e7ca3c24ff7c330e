/** A stream as a Blob, which the browser may keep on disk. */

import { chunksOf } from "#protocol/chunks.ts";

/** Bytes that are held in memory of the page at a time. */
const HELD = 8 << 20;

/** Rejects with the stream's own error, which `Response.blob()` of some engines replaces by one that says nothing. */
export async function blobOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>, type: string): Promise<Blob> {
  const kept: Blob[] = [];
  let chunks: Uint8Array<ArrayBuffer>[] = [];
  let held = 0;
  for await (const chunk of chunksOf(stream)) {
    chunks.push(chunk);
    held += chunk.length;
    if (held < HELD) continue;
    kept.push(new Blob(chunks));
    chunks = [];
    held = 0;
  }
  return new Blob([...kept, ...chunks], { type });
}
