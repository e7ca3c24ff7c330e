import { encodeBase64url } from "#protocol/base64url.ts";
import { digest } from "#protocol/digest.ts";
import type { AuditRow } from "./row.ts";

/** One link. `hash` = SHA-256 of `previous`, a line feed and `entry`, base64url; the first `previous` is 32 zero bytes. */
export type Link = { sequence: number; previous: string; entry: string; hash: string };

/** `previous` of sequence 1. */
export const GENESIS = encodeBase64url(new Uint8Array(32));

/**
 * The entry's text as it is hashed: RFC 8785 for what occurs here (strings and safe integers): members sorted by name,
 * no white space.
 */
export function canonicalEntry(
  sequence: number,
  from: { source: string; epoch: string },
  row: AuditRow,
): string {
  const { outbox, ...rest } = row;
  const members = Object.entries({ ...rest, ...from, sequence, outbox }).filter(
    ([, value]) => value !== undefined,
  );
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(Object.fromEntries(members));
}

export function linkHash(previous: string, entry: string): Promise<string> {
  return digest(`${previous}\n${entry}`);
}

/** Recomputes a chain. Answers the last link, or throws an `Error` that names the first broken sequence. */
export async function verifyChain(
  links: Iterable<Link> | AsyncIterable<Link>,
  from = { sequence: 0, hash: GENESIS },
) {
  let { sequence, hash } = from;
  for await (const link of links) {
    const expected = await linkHash(hash, link.entry);
    if (link.sequence !== sequence + 1 || link.previous !== hash || link.hash !== expected) {
      throw new Error(`The audit chain is broken at ${sequence + 1}`);
    }
    ({ sequence, hash } = link);
  }
  return { sequence, hash };
}
