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
