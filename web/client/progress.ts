/** Progress of a transfer, and streams that tell of it. */

/** Where a transfer stands. */
export interface Progress {
  /** `key`: a data key is made or unwrapped in the HSM; `finishing`: the name is sealed and the document completed. */
  step: "key" | "sealing" | "opening" | "finishing";
  /** Bytes of plaintext that are done. */
  bytes: number;
  /** Bytes of plaintext in all, where known. */
  total: number | undefined;
}

export type ProgressListener = (progress: Progress) => void;

/** The source itself where its size is known, else a stream that tells how many bytes have passed. */
export function counted<S extends Blob | Uint8Array<ArrayBuffer>>(
  source: S | ReadableStream<Uint8Array<ArrayBuffer>>,
  tell: (bytes: number) => void,
): S | ReadableStream<Uint8Array<ArrayBuffer>> {
  if (!(source instanceof ReadableStream)) return source;
  let bytes = 0;
  return source.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        bytes += chunk.length;
        tell(bytes);
        controller.enqueue(chunk);
      },
    }),
  );
}
