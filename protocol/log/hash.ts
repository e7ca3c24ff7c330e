/** Hashes of a Merkle tree (RFC 9162 §2.1.1), on SHA-256. The first byte tells a leaf from a node, so that none passes for the other. */

import { concat, decodeHex } from "../bytes.ts";
import { sha256 } from "../digest.ts";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** The root of a tree without leaves: SHA-256 of nothing. */
export const EMPTY_ROOT = decodeHex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

/** The 32 bytes of one entry. */
export function leafHash(entry: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return sha256(concat(LEAF, entry));
}

/** The 32 bytes of a node by those of its children. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return sha256(concat(NODE, left, right));
}
