/** Looking at the beginning of a stream without taking it out. */

import { concat } from "#protocol/bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Reads until `enough` says so of the bytes so far, or the stream has ended. Gives those bytes, and a stream of all chunks as
 * they came. Nothing is copied but the bytes that were looked at.
 */
export async function bytesWith(
  source: ReadableStream<Bytes>,
  enough: (head: Bytes) => boolean,
): Promise<{ head: Bytes; stream: ReadableStream<Bytes> }> {
  const reader = source.getReader();
  const taken: Bytes[] = [];
  let head: Bytes = new Uint8Array();
  let ended = false;
  try {
    while (!ended && !enough(head)) {
      const { done, value } = await reader.read();
      ended = done;
      if (value === undefined) continue;
      taken.push(value);
      head = concat(...taken);
    }
  } catch (error) {
    await reader.cancel(error).catch(() => {});
    throw error;
  }
  const stream = new ReadableStream<Bytes>(
    {
      async pull(controller) {
        const first = taken.shift();
        if (first) return controller.enqueue(first);
        const { value } = ended ? { value: undefined } : await reader.read();
        if (value === undefined) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return { head, stream };
}
