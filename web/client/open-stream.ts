/** A document's plaintext on its way to whoever opened it, held against what its metadata says of it. */

import { CofferError } from "#protocol/error.ts";
import { blobOf } from "./blob.ts";
import type { Place } from "./content.ts";
import { asCofferError } from "./error.ts";
import type { Metadata } from "./metadata.ts";
import type { ProgressListener } from "./progress.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** An open document. */
export interface OpenDocument extends Metadata {
  id: string;
  account: string;
  /**
   * The plaintext, to be taken once. It errs rather than ends when anything is wrong, so what came before the end is not
   * proven complete: do not act on a part of it. Each chunk is a buffer of its own that nobody else uses.
   */
  stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** All of it, complete and verified. */
  blob(): Promise<Blob>;
}

export function openStream(
  place: Place,
  metadata: Metadata,
  plain: ReadableStream<Bytes>,
  { onProgress }: { onProgress?: ProgressListener | undefined },
): OpenDocument {
  const total = metadata.size;
  let bytes = 0;
  const stream = plain.pipeThrough(
    new TransformStream<Bytes, Bytes>({
      transform(chunk, controller) {
        bytes += chunk.length;
        onProgress?.({ step: "opening", bytes, total });
        controller.enqueue(chunk);
      },
      flush() {
        // Content and metadata are sealed apart; a pair that does not fit together was not sealed together.
        if (bytes !== total) throw new CofferError("decrypt-failed");
      },
    }),
  );
  const readable = speaking(stream);
  return { ...place, ...metadata, stream: readable, blob: () => blobOf(readable, metadata.type) };
}

/** The same stream, failing with errors that can be shown, or with the reason of `signal`. */
export function speaking(stream: ReadableStream<Bytes>, signal?: AbortSignal): ReadableStream<Bytes> {
  const reader = stream.getReader();
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          throw signal?.aborted ? signal.reason : asCofferError(error);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
