/** Sources that can be read from any place. */
import { ByteReader, Foreign, type Source } from "./reader.ts";

/** What is needed of a source to open parts of the message in it. `httpSource` makes one of an address. */
export interface RangedSource {
  /**
   * Reads `length` bytes from `offset`, fewer where the source ends before. Says with them how long all of the source is.
   * What it gives need not be trusted: the message authenticates itself. Its errors pass through.
   */
  read(offset: number, length: number, signal: AbortSignal): Promise<SourcePart>;
}

export type SourcePart = {
  /** Bytes of the whole source. */
  size: number;
  content: Source;
};

/** A Blob, or bytes, as a source of ranges; one that is already passes. Throws `TypeError` for what cannot be read from any place. */
export function rangedSource(source: Source | RangedSource): RangedSource {
  if (source instanceof Blob) {
    return {
      read: async (offset, length) => ({ size: source.size, content: source.slice(offset, offset + length) }),
    };
  }
  if (source instanceof Uint8Array) {
    return {
      read: async (offset, length) => ({
        size: source.length,
        content: source.subarray(offset, offset + length),
      }),
    };
  }
  if (!("read" in source)) throw new TypeError("a stream cannot be read from any place");
  return source;
}

/** Reads a part; the source's errors are marked as its own. */
export async function readPart(
  source: RangedSource,
  offset: number,
  length: number,
  signal: AbortSignal,
): Promise<{ size: number; reader: ByteReader }> {
  try {
    const { size, content } = await source.read(offset, length, signal);
    return { size, reader: new ByteReader(content) };
  } catch (reason) {
    throw new Foreign(reason);
  }
}
