/**
 * Re-encryption (W10): a document is opened and sealed again as a new message under a new key, its own at level `data`, the newest version
 * above it. What is stored under an id never changes, so the new message has an id of its own; that follows from the old one's, and the
 * old document goes only when the new one is complete. So whoever is cut off in between goes on, and leaves nothing twice.
 */

import { encodeHex } from "#protocol/bytes.ts";
import { sha256 } from "#protocol/digest.ts";

/** The id under which a document is sealed again, under another name perhaps: a UUID of version 8 (RFC 9562 §5.8), as `createDocumentId` makes them. */
export async function nextDocumentId(
  { account, id }: { account: string; id: string },
  name?: string,
): Promise<string> {
  const of = ["coffer-re-encrypt-v1", account, id, ...(name === undefined ? [] : [name])];
  const bytes = (await sha256(JSON.stringify(of))).slice(0, 16);
  const hex = encodeHex(
    bytes.map((byte, i) => (i === 6 ? 0x80 | (byte & 0x0f) : i === 8 ? 0x80 | (byte & 0x3f) : byte)),
  );
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** How far all of an account is. `failed`: documents that stay as they were, each with its error. */
export interface ReEncryptProgress {
  all: number;
  done: number;
  failed: number;
  /** What to go on with after a stop. */
  before: Date;
}

export interface ReEncryptAllOptions {
  /** Documents that were sealed later than this have new keys already. Default: now, as the list says. Keep it to go on after a stop. */
  before?: Date;
  signal?: AbortSignal;
  onProgress?: (progress: ReEncryptProgress) => void;
}

/** A document as its account's list has it. */
export interface Listed {
  id: string;
  account: string;
  created: Date;
}

/** What `reEncryptAll` needs of the documents. */
export interface ReEncrypts {
  listed(account: string, signal?: AbortSignal): Promise<Listed[]>;
  reEncrypt(id: string, options: { account: string; signal?: AbortSignal }): Promise<unknown>;
  /** Deletes this document alone, for the one as which it was sealed again. That opens, and stands in the version index first. */
  giveWay(id: string, next: string, options: { account: string; signal?: AbortSignal }): Promise<unknown>;
}

/** One after the other, the oldest first. Rejects when the signal aborts, and when nobody is signed in any more. */
export async function reEncryptAll(
  documents: ReEncrypts,
  account: string,
  { before, signal, onProgress }: ReEncryptAllOptions,
  isLasting: (error: unknown) => boolean,
): Promise<ReEncryptProgress> {
  const rows = await documents.listed(account, signal);
  const ids = new Set(rows.map(({ id }) => id));
  const newest = Math.max(0, ...rows.map(({ created }) => created.getTime()));
  const until = before?.getTime() ?? newest;
  const due = rows.filter(({ created }) => created.getTime() <= until);
  due.sort((a, b) => a.created.getTime() - b.created.getTime());
  const progress = { all: due.length, done: 0, failed: 0, before: new Date(until) };
  onProgress?.({ ...progress });
  for (const row of due) {
    signal?.throwIfAborted();
    try {
      const { id } = row;
      const next = await nextDocumentId(row);
      const of = { account, ...(signal && { signal }) };
      // Sealed again by one that was cut off before the old one went.
      if (ids.has(next)) await documents.giveWay(id, next, of);
      else await documents.reEncrypt(id, of);
      progress.done += 1;
    } catch (error) {
      signal?.throwIfAborted();
      if (isLasting(error)) throw error;
      progress.failed += 1;
    }
    onProgress?.({ ...progress });
  }
  return progress;
}
