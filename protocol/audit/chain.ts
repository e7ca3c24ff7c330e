/** The hash chain of one source. */

import { encodeBase64url } from "../base64url.ts";
import { digest } from "../digest.ts";
import { AuditError } from "./error.ts";

/** One link. `hash` = SHA-256 of `previous`, a line feed and `entry`, base64url; the first `previous` is 32 zero bytes. */
export type Link = { sequence: number; previous: string; entry: string; hash: string };

/** The last link; sequence 0 before the first. */
export type Head = { sequence: number; hash: string };

/** `previous` of sequence 1. */
export const GENESIS = encodeBase64url(new Uint8Array(32));

export function linkHash(previous: string, entry: string): Promise<string> {
  return digest(`${previous}\n${entry}`);
}

/** The head with one link more. Throws `AuditError` for a link that does not come next. */
export async function follow({ sequence, hash }: Head, link: Link): Promise<Head> {
  const expected = await linkHash(hash, link.entry);
  if (link.sequence !== sequence + 1 || link.previous !== hash || link.hash !== expected)
    throw new AuditError("audit-chain", `The audit chain is broken at ${sequence + 1}`);
  return { sequence: link.sequence, hash: link.hash };
}

/** Recomputes a chain. Answers the last link, or throws an `AuditError` that names the first broken sequence. */
export async function verifyChain(
  links: Iterable<Link> | AsyncIterable<Link>,
  from: Head = { sequence: 0, hash: GENESIS },
): Promise<Head> {
  let head = from;
  for await (const link of links) head = await follow(head, link);
  return head;
}
