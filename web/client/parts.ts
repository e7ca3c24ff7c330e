/** Ciphertext on its way to the datastore: cut into parts, several under way, memory bounded by their number. */

import { chunksOf } from "#protocol/chunks.ts";
import type { Part } from "#protocol/contract/index.ts";

/** How parts are sent. */
export interface PartsOptions {
  /** Bytes of every part but the last. R2 wants at least 5 MiB and all of one size. */
  partSize: number;
  /** Parts under way at a time; memory is about (inFlight + 1) × partSize. */
  inFlight: number;
  /** Sends one part, numbered from 1. Its signal aborts when any other part has failed. */
  send: (part: number, bytes: Blob, signal: AbortSignal) => Promise<Part>;
  signal?: AbortSignal | undefined;
  /** Called with the bytes of ciphertext that the datastore has accepted so far. */
  onSent?: (bytes: number) => void;
}

/** Sends a whole stream. Resolves to the parts in order and the bytes of ciphertext; on failure the stream is cancelled. */
export async function sendParts(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  { partSize, inFlight, send, signal, onSent }: PartsOptions,
): Promise<{ parts: Part[]; size: number }> {
  const failed = new AbortController();
  const either = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const sending = new Set<Promise<void>>();
  const parts: Part[] = [];
  let size = 0;
  let sent = 0;
  try {
    for await (const bytes of split(stream, partSize)) {
      either.throwIfAborted();
      const number = parts.push({ part: parts.length + 1, etag: "" });
      size += bytes.size;
      const one = send(number, bytes, either)
        .then((part) => {
          parts[number - 1] = part;
          sent += bytes.size;
          onSent?.(sent);
        })
        .catch((error: unknown) => failed.abort(error))
        .finally(() => sending.delete(one));
      sending.add(one);
      if (sending.size >= inFlight) await Promise.race(sending);
    }
    await Promise.all(sending);
    either.throwIfAborted();
  } catch (error) {
    failed.abort(error);
    await Promise.all(sending);
    throw signal?.aborted ? signal.reason : failed.signal.reason;
  }
  return { parts, size };
}

/** Cuts a stream into Blobs of exactly `size` bytes but the last. No byte is copied; an empty stream gives nothing. */
export async function* split(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  size: number,
): AsyncGenerator<Blob, void> {
  let chunks: Uint8Array<ArrayBuffer>[] = [];
  let held = 0;
  for await (let chunk of chunksOf(stream)) {
    while (held + chunk.length >= size) {
      const rest = size - held;
      chunks.push(chunk.subarray(0, rest));
      yield new Blob(chunks);
      chunk = chunk.subarray(rest);
      chunks = [];
      held = 0;
    }
    if (chunk.length > 0) chunks.push(chunk);
    held += chunk.length;
  }
  if (held > 0) yield new Blob(chunks);
}
