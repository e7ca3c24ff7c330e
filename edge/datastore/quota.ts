/**
 * How many documents an account may have, and how many bytes. Counted as rows change, so a deletion gives back at once. Room
 * for bytes is taken before they are stored, and given back only when it is certain that they were not.
 */

import { configuredBound } from "../bound.ts";
import { type Decision, ok, refuse } from "../result.ts";

export type Quota = { documents: number; bytes: number };

const DEFAULT: Quota = { documents: 100_000, bytes: 2 ** 40 };

/** Throws for a bound that is mistyped. */
export function configuredQuota(
  env: Partial<Pick<Env, "COFFER_DOCUMENTS_PER_ACCOUNT" | "COFFER_BYTES_PER_ACCOUNT">>,
): Quota {
  const { COFFER_DOCUMENTS_PER_ACCOUNT: documents, COFFER_BYTES_PER_ACCOUNT: bytes } = env;
  return {
    documents: configuredBound("COFFER_DOCUMENTS_PER_ACCOUNT", documents, DEFAULT.documents),
    bytes: configuredBound("COFFER_BYTES_PER_ACCOUNT", bytes, DEFAULT.bytes),
  };
}

/** What an account has or has taken room for, uploads under way and documents of all apps among it. */
export function usageOf(sql: SqlStorage, account: string): Quota {
  const [usage] = sql.exec<Quota>("SELECT documents, bytes FROM usage WHERE account = ?", account);
  return usage ?? { documents: 0, bytes: 0 };
}

/** Whether there is room for so much more. Asked in the transaction that stores it, so that no two uploads share a rest. */
export function checkRoom(sql: SqlStorage, account: string, quota: Quota, more: Quota): Decision<null> {
  const used = usageOf(sql, account);
  if (!(used.documents + more.documents <= quota.documents))
    return refuse("quota-exceeded", "quota of documents");
  if (!(used.bytes + more.bytes <= quota.bytes)) return refuse("quota-exceeded", "quota of bytes");
  return ok(null);
}

/** Room for a part that is about to be stored: how much of it there was before, and the number of this write among those under way. */
export type Room = { part: number; before: number; write: number };
/** A part that may be stored, and the room that was taken for it. */
export type AllowedPart = { id: string; account: string; upload: string; room: Room };

/**
 * Takes room for a part of an upload, which may take the place of an earlier one, in the transaction of the decision. Parts
 * at the same time never share what is left.
 */
export function takeRoom(
  sql: SqlStorage,
  { id, account }: { id: string; account: string },
  part: number,
  size: number,
  quota: Quota,
): Decision<Room> {
  const [there] = sql
    .exec<{ held: number }>("SELECT held FROM parts WHERE document = ? AND part = ?", id, part)
    .toArray();
  const before = there?.held ?? 0;
  const room = checkRoom(sql, account, quota, { documents: 0, bytes: Math.max(0, size - before) });
  if (!room.ok) return room;
  const { write } = sql
    .exec<{ write: number }>(
      `INSERT INTO parts (document, part, etag, size, held, writes) VALUES (?, ?, '', 0, ?, 1)
       ON CONFLICT (document, part) DO UPDATE SET held = max(held, excluded.held), writes = writes + 1
       RETURNING writes AS write`,
      id,
      part,
      size,
    )
    .one();
  return ok({ part, before, write });
}

/** Nothing was stored: gives the room back, unless another one has taken it meanwhile. */
export function giveRoomBack(sql: SqlStorage, id: string, { part, before, write }: Room): void {
  sql.exec(
    "UPDATE parts SET held = max(size, ?), writes = writes - 1 WHERE document = ? AND part = ? AND writes = ?",
    before,
    id,
    part,
    write,
  );
  sql.exec("DELETE FROM parts WHERE document = ? AND part = ? AND held = 0", id, part);
}

/** The same for a document's metadata. What was stored last counts, once nothing else is being written. */
export function takeRoomForMetadata(
  sql: SqlStorage,
  { id, account }: { id: string; account: string },
  size: number,
  quota: Quota,
): Decision<null> {
  const { held } = sql.exec<{ held: number }>("SELECT held FROM documents WHERE id = ?", id).one();
  const room = checkRoom(sql, account, quota, { documents: 0, bytes: Math.max(0, size - held) });
  if (room.ok) sql.exec("UPDATE documents SET held = max(held, ?) WHERE id = ?", size, id);
  return room;
}
