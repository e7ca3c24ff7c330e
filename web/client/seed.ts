/**
 * Data keys from a seed (M9): a passphrase, bytes or a file that the custodian keeps, of which the HSM makes the same key again, years later
 * too. The seed goes to the microservice, which seals it to the HSM; the server sees neither.
 */

import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { makeDataKeys } from "#protocol/contract/index.ts";
import { CofferError } from "#protocol/error.ts";
import { digestOfSeed, seedOf } from "#protocol/seed-digest.ts";
import { callJson } from "./call.ts";
import { type GrantParts, loadGranted } from "./granted.ts";
import type { ProgressListener } from "./progress.ts";

/**
 * A passphrase, which counts as its UTF-8 in Normalization Form C; bytes; or a file of any length. Whoever has it and may use the app has
 * the key: a passphrase should be as hard to guess as a key.
 */
export type Seed = string | Uint8Array | Blob;

export interface SeedOptions {
  /** Default: the first account of the user. */
  account?: string;
  /** Several keys of one seed, told apart by labels of up to 64 letters, digits and `._-`, 16 at most. Default: one, without. */
  labels?: readonly string[];
  /** EDKs of an earlier time, all of this seed, instead of new ones. */
  edks?: readonly string[];
  signal?: AbortSignal;
  /** Told while a file is read. */
  onProgress?: ProgressListener;
}

/** The keys, loaded: their EDKs, in the order of their labels. Errors: `seed-refused`, `forbidden`, `too-many-requests`; the signal's reason. */
export async function loadBySeed(
  parts: GrantParts,
  seed: Seed,
  account: string,
  { labels = [""], edks, signal, onProgress }: SeedOptions,
): Promise<string[]> {
  const bytes = await bytesOf(seed, signal, onProgress);
  try {
    const named = edks ? [...edks] : await order(parts.rest, bytes, account, labels, signal);
    onProgress?.({ step: "key", bytes: 0, total: undefined });
    const hand = (grant: string) =>
      ({ way: "seed", grant, edks: named, seed: new Uint8Array(bytes).buffer }) as const;
    await loadGranted(parts, named, hand, signal);
    return named;
  } finally {
    bytes.fill(0);
  }
}

async function order(
  rest: GrantParts["rest"],
  seed: Uint8Array<ArrayBuffer>,
  account: string,
  labels: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const named = { salt: encodeBase64url(salt), digest: await digestOfSeed(seed, salt), labels: [...labels] };
  signal?.throwIfAborted();
  const request = { account, count: labels.length, purpose: "document", seed: named } as const;
  const { edks } = await callJson(rest, makeDataKeys, {}, request, { tries: 3, ...(signal && { signal }) });
  if (edks.length !== labels.length) throw new CofferError("unexpected-response");
  return edks;
}

async function bytesOf(seed: Seed, signal?: AbortSignal, onProgress?: ProgressListener) {
  signal?.throwIfAborted();
  const source = typeof seed === "string" ? utf8(seed.normalize("NFC")) : seed;
  const total = source instanceof Blob ? source.size : source.length;
  const onRead = (bytes: number) => onProgress?.({ step: "key", bytes, total });
  return seedOf(source, { signal, onRead }).catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw new CofferError("seed-refused", { cause });
  });
}
