/**
 * Finds many byte strings in one pass. Every pattern is longer than STRIDE + 3 bytes, so one of its first STRIDE
 * four-byte words stands at an offset that is a multiple of STRIDE: only those offsets are looked at, through a table
 * of hashes, and what hits is compared exactly.
 */

import type { Needle } from "./needle.ts";

/** Where a secret was found. Never the secret itself. */
export type Finding = { name: string; form: string; where: string };

export type Search = {
  /** Length of the longest pattern: neighbouring chunks must overlap by one byte less. */
  longest: number;
  /** Everything found in `bytes`; `place` says where an offset lies. */
  find(bytes: Uint8Array, place: (offset: number) => string): Finding[];
};

const STRIDE = 8;
const HASH_BITS = 18;
const MULTIPLIER = 0x9e3779b1;

/** A search for all forms of all needles, at some GB/s whatever their number. */
export function createSearch(needles: Needle[]): Search {
  const table = new Uint8Array(1 << HASH_BITS);
  const entries = new Map<number, { name: string; form: string; bytes: Uint8Array; offset: number }[]>();
  let longest = 0;
  for (const { name, patterns } of needles) {
    for (const { form, bytes } of patterns) {
      if (bytes.length < STRIDE + 3) throw new RangeError("a pattern is too short to be searched");
      longest = Math.max(longest, bytes.length);
      for (let offset = 0; offset < STRIDE; offset++) {
        const word = wordAt(bytes, offset);
        table[hash(word)] = 1;
        const entry = { name, form, bytes, offset };
        const others = entries.get(word);
        if (others) others.push(entry);
        else entries.set(word, [entry]);
      }
    }
  }
  return {
    longest,
    find(bytes, place) {
      const findings: Finding[] = [];
      for (let at = 0, end = bytes.length - 3; at < end; at += STRIDE) {
        const word = wordAt(bytes, at);
        if (table[hash(word)] === 0) continue;
        for (const { name, form, bytes: pattern, offset } of entries.get(word) ?? []) {
          if (standsAt(bytes, at - offset, pattern)) findings.push({ name, form, where: place(at - offset) });
        }
      }
      return findings;
    },
  };
}

function hash(word: number): number {
  return Math.imul(word, MULTIPLIER) >>> (32 - HASH_BITS);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function standsAt(bytes: Uint8Array, at: number, pattern: Uint8Array): boolean {
  if (at < 0 || at + pattern.length > bytes.length) return false;
  for (let i = 0; i < pattern.length; i++) if (bytes[at + i] !== pattern[i]) return false;
  return true;
}
