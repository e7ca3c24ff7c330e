/**
 * A seed as its custodian and the microservice have it (M9): what becomes of a file of any length, and the digest by which an EDK names
 * its seed. Of what happens to it in the HSM: seed.ts. Imported by web/client and web/microservice.
 */

import { encodeBase64url } from "./base64url.ts";
import { concat, utf8 } from "./bytes.ts";
import { sha256 } from "./digest.ts";
import { MAX_SEED, SEED_ROUNDS } from "./seed.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const { subtle } = crypto;
const importKey = subtle.importKey.bind(subtle);
const deriveBits = subtle.deriveBits.bind(subtle);

/**
 * PBKDF2-HMAC-SHA-256 with 600,000 rounds, base64url. It stands in the header of each document, so it is as dear to try as the key itself;
 * whoever finds a seed by it has the seed and no key, which takes the HSM.
 */
export async function digestOfSeed(seed: Bytes, salt: Bytes): Promise<string> {
  const key = await importKey("raw", seed, "PBKDF2", false, ["deriveBits"]);
  const pbkdf2 = { name: "PBKDF2", hash: "SHA-256", salt, iterations: SEED_ROUNDS };
  return encodeBase64url(new Uint8Array(await deriveBits(pbkdf2, key, 256)));
}

/** Bytes of a file that are in memory at a time. */
const CHUNK = 1 << 20;

/**
 * The seed that a file or other bytes stand for, a copy: up to 64 KiB as they are; of more a digest over their length and 1 MiB at a time,
 * each SHA-256(the digest before and SHA-256 of what follows). Throws `RangeError` for none.
 */
export async function seedOf(
  source: Blob | Uint8Array,
  {
    signal,
    onRead,
  }: { signal?: AbortSignal | undefined; onRead?: ((bytes: number) => void) | undefined } = {},
): Promise<Bytes> {
  const length = source instanceof Blob ? source.size : source.length;
  if (length === 0) throw new RangeError("a seed of no bytes");
  const read = async (from: number, to: number) =>
    source instanceof Blob
      ? new Uint8Array(await source.slice(from, to).arrayBuffer())
      : new Uint8Array(source.subarray(from, to));
  if (length <= MAX_SEED) return read(0, length);
  let state: Bytes = new Uint8Array(32);
  for (let at = 0; at < length; at += CHUNK) {
    signal?.throwIfAborted();
    const chunk = await read(at, at + CHUNK);
    state = await sha256(concat(state, await sha256(chunk)));
    onRead?.(at + chunk.length);
  }
  return concat(utf8(`coffer-seed-file-v1\0${length}\0`), state);
}
