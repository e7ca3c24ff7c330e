/** Streams of bytes, chunk by chunk and whole. */

import { join } from "./bytes.ts";
import { CofferError } from "./error.ts";

/**
 * What `for await` over a stream gives, where the engine's streams have no async iterator (WebKit). Leaving the loop early
 * cancels the stream.
 */
export async function* chunksOf<T>(stream: ReadableStream<T>): AsyncGenerator<T, void> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // Of a stream that has ended or failed nothing is left to cancel.
    await reader.cancel().catch(() => {});
    reader.releaseLock();
  }
}

/** All bytes of a short stream; more than `limit` are an error. */
export async function readAll(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  limit: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let held = 0;
  for await (const chunk of chunksOf(stream)) {
    held += chunk.length;
    if (held > limit) throw new CofferError("too-large");
    chunks.push(chunk);
  }
  return join(chunks);
}
