/**
 * Version indexes of accounts, as the KMS has signed them: what they say counts when rows, root and signature fit, and no earlier head counts
 * than was ever seen here. In here, so that no page decides what was verified.
 */

import { seconds } from "#protocol/clock.ts";
import { CofferError } from "#protocol/error.ts";
import { JwsError, type TrustList, verifyIndexReceipt } from "#protocol/keys/index.ts";
import type { PortHandler } from "#protocol/port/index.ts";
import { bucketHash, bucketOf, lineOf, MAX_ROWS, rootOf, type VersionRow } from "#protocol/version-index.ts";
import type { KeptVersions, Store } from "./store.ts";

type Params<O extends "versions" | "compare"> = Parameters<PortHandler[O]>[0];
type Result<O extends "versions" | "compare"> = ReturnType<PortHandler[O]>;

/** Whose it is, and who vouches for it. `now` in milliseconds since 1970. */
export type Owner = { origin: string; custodian: string; tenant: string; trust: TrustList; now: number };

type Buckets = KeptVersions["buckets"];
/** `stored`: what the store has of it is of this sequence; 0 where it has nothing. */
type Index = { sequence: number; founded: boolean; buckets: Buckets; stored: number };
/** An index that is being read. */
type Reading = { buckets: Buckets; again: boolean | undefined };

export class Versions {
  readonly #store: Store;
  /** As they were verified. */
  readonly #indexes = new Map<string, Index>();
  /** Pages of which the head has still to come. */
  readonly #pages = new Map<string, Reading>();

  constructor(store: Store) {
    this.#store = store;
  }

  clear(): void {
    this.#indexes.clear();
    this.#pages.clear();
  }

  /** The row of a document, of the index as it was verified last, be it before a reload. */
  async row(owner: Owner, account: string, document: string): Promise<VersionRow | undefined> {
    return find(await this.#known(owner, account), document);
  }

  async take(owner: Owner, { account, rows, again, head }: Params<"versions">): Result<"versions"> {
    const index = await this.#known(owner, account);
    const before = again ? undefined : this.#pages.get(account);
    const reading = before ?? { buckets: new Map(again ? [] : index.buckets), again };
    for (const row of rows ?? []) put(reading.buckets, row);
    let held = 0;
    for (const { rows } of reading.buckets.values()) held += rows.size;
    // Until the head has come; what is too large is not read on with.
    this.#pages.delete(account);
    if (held > MAX_ROWS) throw new CofferError("too-large");
    if (head !== undefined) return this.#verify(owner, account, reading, head);
    if (rows || before) this.#pages.set(account, reading);
    return { sequence: index.sequence, founded: index.founded };
  }

  async #verify(
    { origin, custodian, tenant, trust, now }: Owner,
    account: string,
    { buckets, again }: Reading,
    head: string,
  ): Result<"versions"> {
    const of = { tenant, account, app: origin };
    const verified = await verifyIndexReceipt(head, trust, of, seconds(now)).catch((cause: unknown) => {
      throw cause instanceof JwsError ? new CofferError("index-refused", { cause }) : cause;
    });
    const { sequence, founded, root } = verified;
    // Not the client that the head names: the KMS says which it is, and could name one that was never seen.
    const pin = `versions ${origin} ${tenant} ${account}`;
    if (sequence < (await this.#store.trustSerial(pin))) throw new CofferError("index-superseded");
    const name = { origin, custodian, account };
    const fresh = [...buckets].filter(([, { hash }]) => !hash);
    if ((await rootOfBuckets(buckets)) !== root) {
      this.#indexes.delete(account);
      await this.#store.deleteVersions(name);
      throw new CofferError("index-refused");
    }
    await this.#store.keepTrustSerial(pin, sequence);
    const stored = (!again && this.#indexes.get(account)?.stored) || 0;
    const index = { sequence, founded, buckets, stored };
    this.#indexes.set(account, index);
    if (index.stored === sequence) return { sequence, founded };
    // Without it all rows only have to be read again.
    const kept = await this.#store
      .keepVersions({
        ...{ ...name, sequence, founded, since: index.stored },
        buckets: index.stored === 0 ? buckets : new Map(fresh),
      })
      .catch(() => false);
    index.stored = kept ? sequence : 0;
    return { sequence, founded };
  }

  async compare(owner: Owner, { account, documents, whole }: Params<"compare">): Result<"compare"> {
    const index = await this.#known(owner, account);
    const told = { hidden: [], unknown: [], changed: [], deleted: [] } as Awaited<Result<"compare">>;
    const there = new Set<string>();
    for (const { document, headerDigest, metadataDigest } of documents) {
      there.add(document);
      const row = find(index, document);
      if (!row) told.unknown.push(document);
      else if (row.deleted) told.deleted.push(document);
      else if (differs(row.headerDigest, headerDigest) || differs(row.metadataDigest, metadataDigest))
        told.changed.push(document);
    }
    if (whole)
      for (const { rows } of index.buckets.values())
        for (const { document, deleted } of rows.values())
          if (!deleted && !there.has(document)) told.hidden.push(document);
    return told;
  }

  async #known({ origin, custodian }: Owner, account: string): Promise<Index> {
    const kept = this.#indexes.has(account)
      ? undefined
      : await this.#store.versions({ origin, custodian, account });
    // One may have been verified meanwhile.
    const known = this.#indexes.get(account);
    if (known) return known;
    const { sequence = 0, founded = false, buckets = new Map() } = kept ?? {};
    const index = { sequence, founded, buckets, stored: sequence };
    this.#indexes.set(account, index);
    return index;
  }
}

function find({ buckets }: Index, document: string): VersionRow | undefined {
  return buckets.get(bucketOf(document))?.rows.get(document);
}

/** Buckets of the index that was verified stay as they are: one is copied before its first change. */
function put(buckets: Buckets, row: VersionRow): void {
  const at = bucketOf(row.document);
  const bucket = buckets.get(at);
  const rows = bucket && !bucket.hash ? bucket.rows : new Map(bucket?.rows);
  rows.set(row.document, row);
  buckets.set(at, { rows, hash: "" });
}

/** What either of them does not say is no difference. */
function differs(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && a !== b;
}

/** Only what has changed is hashed. */
async function rootOfBuckets(buckets: Buckets): Promise<string> {
  const hashes = [...buckets].map(async ([at, bucket]) => {
    bucket.hash ||= await bucketHash([...bucket.rows.values()].map(lineOf));
    return [at, bucket.hash] as const;
  });
  return rootOf(new Map(await Promise.all(hashes)));
}
