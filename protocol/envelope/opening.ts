/** What every way of opening begins with: the options, the header, and the one error. */
import { CofferError } from "../error.ts";
import type { Opened } from "./body.ts";
import { type EncryptionContext, matchesContext } from "./context.ts";
import { type Header, parseHeader } from "./header.ts";
import { type EnvelopeCrypto, verifyHeader } from "./keys.ts";
import { deriveLayerKey } from "./layer.ts";
import { type ByteReader, Foreign } from "./reader.ts";
import { decryptFailed, MAX_HEADER_LENGTH } from "./suite.ts";

export type OpenOptions = {
  subtle: EnvelopeCrypto;
  /** Gives the data key for a header that is not yet authenticated; its own errors pass through. */
  dataKey(header: Header): CryptoKey | Promise<CryptoKey>;
  /**
   * Gives the key of the second layer that a header names, once that has verified; its own errors pass through. Without this no
   * message with a second layer opens.
   */
  layerKey?(id: string): CryptoKey | Promise<CryptoKey>;
  /**
   * What the message's context must equal, pair for pair. The pair `aws-crypto-public-key` of a signed message may be left
   * out; where it is given it is the signer's key that is expected.
   */
  context: EncryptionContext;
  /**
   * Longest message, in bytes, of those that have to be held whole before anything of them may be released: signed ones
   * and ones that are not framed. Default: 64 MiB, and about twice that is in memory for a moment. 0 refuses them all.
   */
  maxHeldLength?: number;
  signal?: AbortSignal;
  /** Called with the plaintext bytes decrypted so far. */
  onProgress?(bytes: number): void;
};

/** The one error of everything that is wrong with a message; others' errors as they are, and that a genuine one cannot be sought in. */
export function mapError(reason: unknown): unknown {
  if (reason instanceof Foreign) return reason.reason;
  return reason instanceof CofferError && reason.code === "not-seekable" ? reason : decryptFailed();
}

/** Verifies a header: context, commitment, tag. */
export async function openHeader(header: Header, options: OpenOptions): Promise<Opened> {
  const { subtle } = options;
  if (!matchesContext(header.context, header.suite.signed, options.context)) throw decryptFailed();
  const { layer } = header;
  if (layer !== undefined && !options.layerKey) throw decryptFailed();
  const dataKey = await own(() => options.dataKey(header));
  const key = await verifyHeader(subtle, dataKey, header);
  const layerKey = layer === undefined ? undefined : await own(() => options.layerKey?.(layer));
  if (!layerKey) return { subtle, header, key };
  return { subtle, header, key, layerKey: await deriveLayerKey(subtle, layerKey, header, "decrypt") };
}

/** A key that the caller gives, or the caller's error. */
async function own<T>(give: () => T | Promise<T>): Promise<T> {
  try {
    return await give();
  } catch (reason) {
    throw new Foreign(reason);
  }
}

/** Reads the header, after which the reader stands. */
export async function readHeader(reader: ByteReader): Promise<Header> {
  for (let wanted = 1024; ; wanted *= 4) {
    const available = await reader.fill(Math.min(wanted, MAX_HEADER_LENGTH));
    const bytes = reader.take(Math.min(available, MAX_HEADER_LENGTH));
    const header = parseHeader(bytes);
    if (header) {
      reader.untake(bytes.subarray(header.length));
      return header;
    }
    if (available < wanted) throw decryptFailed();
    reader.untake(bytes);
  }
}
