/**
 * The version index at the KMS: rows by compare and swap, and a head over all of them that the HSM signs. A change is a row and a mark on its
 * bucket; the hashes of marked buckets, and the root, are made when somebody reads.
 */

import { seconds } from "#protocol/clock.ts";
import type { Lead, VersionChange, VersionPage, VersionsPut } from "#protocol/contract/index.ts";
import { bucketHash, rootOf } from "#protocol/version-index.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { takeTurn } from "../pace.ts";
import { type Decision, ok, type Result, refuse } from "../result.ts";
import { type Context, type Door, failed, noMember } from "./context.ts";
import { newestOf } from "./document-series.ts";
import {
  type Bucket,
  bucketsOf,
  changesAfter,
  putVersions as enter,
  findVersion,
  keepHashes,
  linesOf,
  readIndex,
} from "./document-versions.ts";
import { endSharesOf } from "./shares.ts";
import { checkLives } from "./shred.ts";
import { signReceipt } from "./signing.ts";

/** Changes of one user a minute: as fast as anybody seals, a row each, and each may be of a hundred. */
const CHANGES_PER_MINUTE = 1200;
/** A head is good for so long, and is given to others for a third of it: a clock that is ahead as far as clocks may be takes it still. Seconds. */
const HEAD_SECONDS = 900;

/** The last head that was signed or is being signed, by app and its origin: the same one is given to all until something changes. */
export type Heads = Map<string, { sequence: number; founded: number; head: Promise<string>; iat: number }>;

/** Errors: `forbidden` for a reader, `too-many-requests`, `quota-exceeded`. */
export async function putVersions(
  door: Door,
  caller: Caller,
  account: string,
  change: VersionChange,
): Promise<Result<VersionsPut>> {
  const { tenant, client, user, requestId } = caller;
  const about = { action: "kms:put-versions", caller, resource: `account/${account}`, requestId };
  const member = await door.neighbours.IAM.member({ tenant, account, caller });
  if (!member.ok) return door.refuse(about, noMember(member.problem));
  const { store } = await door.enter();
  return authorize<VersionsPut>(store, about, (sql) => {
    const lives = checkLives(sql);
    if (!lives.ok) return lives;
    if (member.value.as === "reader") return refuse("forbidden", "a reader changes nothing");
    const turn = takeTurn(sql, { what: about.action, user }, CHANGES_PER_MINUTE, Date.now() / 1000);
    return turn.ok ? enterAndEnd(sql, client, change) : turn;
  });
}

/** Enters the change; documents that stand as deleted then, or are followed by a newer version, are shared with nobody. Inside `authorize()`: a refusal keeps the rows before it. */
export function enterAndEnd(
  sql: SqlStorage,
  client: string,
  change: VersionChange,
  most?: number,
): Decision<VersionsPut> {
  const { leads = [] } = change;
  const before = new Map(leads.map(({ first }) => [first, newestOf(sql, client, first)]));
  const entered = enter(sql, client, change, most);
  const deleted = change.rows.filter((row) => row.deleted).map(({ document }) => document);
  const isGone = (document: string) => {
    const standing = findVersion(sql, client, document);
    // One that has no row any more was deleted, and has made room.
    return standing === undefined || standing.deleted === true;
  };
  endSharesOf(sql, client, deleted.filter(isGone));
  // What has an earlier version has it to itself: whoever replaces a document shares it anew.
  for (const [first, newest] of before)
    endSharesOf(sql, client, followedSince(leads, { first, newest }, newestOf(sql, client, first)));
  return entered;
}

/** What of a series the leads of a change have followed that were taken: from the newest of now back to that of before. */
function followedSince(
  leads: readonly Lead[],
  before: { first: string; newest: string | undefined },
  now: string | undefined,
): string[] {
  const leading = new Map(leads.map((lead) => [lead.document, lead]));
  const followed: string[] = [];
  for (let at = now; at !== undefined && at !== before.newest; ) {
    const lead = leading.get(at);
    // Each once, whatever they say of each other.
    leading.delete(at);
    at = lead?.first === before.first && lead.over !== at ? lead.over : undefined;
    if (at !== undefined) followed.push(at);
  }
  return followed;
}

/** A page of changes; the last one with the head, of the same moment. Errors: `forbidden`, those of the HSM. */
export async function readVersions(
  door: Door,
  heads: Heads,
  caller: Caller,
  { account, after }: { account: string; after: number },
): Promise<Result<VersionPage>> {
  const { tenant, client, requestId } = caller;
  const about = { caller, resource: `account/${account}`, requestId };
  const action = "kms:read-versions";
  const member = await door.neighbours.IAM.member({ tenant, account, caller });
  if (!member.ok) return door.refuse({ action, ...about }, noMember(member.problem));
  const kms = await door.enter();
  const read = authorize(kms.store, { action, ...about }, (sql) => {
    const lives = checkLives(sql);
    if (!lives.ok) return lives;
    const { rows, sequence, all, again } = changesAfter(sql, client, after);
    const page: VersionPage = { rows, sequence, ...(again && { again }) };
    return ok({ page, moment: all ? momentOf(sql, client) : undefined });
  });
  if (!read.ok) return read;
  const { page, moment } = read.value;
  if (!moment) return ok(page);
  try {
    return ok({ ...page, head: await headOf(kms, heads, caller, account, moment) });
  } catch (error) {
    return failed(kms, "kms:sign-versions", about, error);
  }
}

type Moment = ReturnType<typeof readIndex> & {
  buckets: (Bucket & { lines: string[] | undefined })[];
};

/** All that a head is made of, as it is now. */
function momentOf(sql: SqlStorage, client: string): Moment {
  const buckets = bucketsOf(sql, client).map((bucket) => {
    const stale = bucket.hashed !== bucket.changed;
    return { ...bucket, lines: stale ? linesOf(sql, client, bucket.bucket) : undefined };
  });
  return { ...readIndex(sql, client), buckets };
}

async function headOf(
  kms: Context,
  heads: Heads,
  { tenant, client, origin }: Caller,
  account: string,
  { sequence, founded, buckets }: Moment,
): Promise<string> {
  const iat = seconds(Date.now());
  const name = `${client} ${origin}`;
  const known = heads.get(name);
  const fits = known?.sequence === sequence && known.founded === founded;
  if (known && fits && iat < known.iat + HEAD_SECONDS / 3) return known.head;
  const head = sign(kms, { tenant, client, origin }, account, { sequence, founded, buckets }, iat);
  const signing = { sequence, founded, head, iat };
  // Of an earlier moment than what is being signed already it is for this reader alone.
  if (!known || known.sequence <= sequence) heads.set(name, signing);
  return head.catch((error: unknown) => {
    if (heads.get(name) === signing) heads.delete(name);
    throw error;
  });
}

async function sign(
  kms: Context,
  { tenant, client, origin }: Pick<Caller, "tenant" | "client" | "origin">,
  account: string,
  { sequence, founded, buckets }: Pick<Moment, "sequence" | "founded" | "buckets">,
  iat: number,
): Promise<string> {
  const hashes = await Promise.all(
    buckets.map(async ({ lines, ...bucket }) =>
      lines ? { ...bucket, hash: await bucketHash(lines), fresh: true } : { ...bucket, fresh: false },
    ),
  );
  kms.store.transaction(() =>
    keepHashes(
      kms.store.sql,
      client,
      hashes.filter(({ fresh }) => fresh),
    ),
  );
  const root = await rootOf(new Map(hashes.map(({ bucket, hash }) => [bucket, hash])));
  return signReceipt(kms.hsm, await kms.trust.list(), {
    ...{ version: 1, kind: "version-index", tenant, account, app: origin, client, sequence, root },
    ...{ founded: founded === 1, iat, exp: iat + HEAD_SECONDS },
  });
}
