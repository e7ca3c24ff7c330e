/**
 * Version indexes of accounts, as the KMS has signed them: what they say counts when rows, root and signature fit, and no earlier head counts
 * than was ever seen here. In here, so that no page decides what was verified.
 */

import { seconds } from "#protocol/clock.ts";
import { CofferError } from "#protocol/error.ts";
import { JwsError, type TrustList, verifyIndexReceipt } from "#protocol/keys/index.ts";
import type { PortHandler } from "#protocol/port/index.ts";
import { MAX_ROWS, rootOfRows, type VersionRow } from "#protocol/version-index.ts";
import type { Store } from "./store.ts";

type Params<O extends "versions" | "compare"> = Parameters<PortHandler[O]>[0];
type Result<O extends "versions" | "compare"> = ReturnType<PortHandler[O]>;

/** Whose it is, and who vouches for it. `now` in milliseconds since 1970. */
export type Owner = { origin: string; custodian: string; tenant: string; trust: TrustList; now: number };

type Index = { sequence: number; founded: boolean; rows: Map<string, VersionRow> };

export class Versions {
  readonly #store: Store;
  /** As they were verified. */
  readonly #indexes = new Map<string, Index>();
  /** Pages of which the head has still to come. */
  readonly #pages = new Map<string, Map<string, VersionRow>>();

  constructor(store: Store) {
    this.#store = store;
  }

  clear(): void {
    this.#indexes.clear();
    this.#pages.clear();
  }

  /** The row of a document, of the index as it was verified last, be it before a reload. */
  async row(owner: Owner, account: string, document: string): Promise<VersionRow | undefined> {
    return (await this.#known(owner, account)).rows.get(document);
  }

  async take(owner: Owner, { account, rows, again, head }: Params<"versions">): Result<"versions"> {
    const index = await this.#known(owner, account);
    if (rows) {
      const before = again ? undefined : (this.#pages.get(account) ?? index.rows);
      const next = new Map(before);
      for (const row of rows) next.set(row.document, row);
      if (next.size > MAX_ROWS) throw new CofferError("too-large");
      this.#pages.set(account, next);
    }
    if (head === undefined) return { sequence: index.sequence, founded: index.founded };
    const next = this.#pages.get(account) ?? index.rows;
    this.#pages.delete(account);
    return this.#verify(owner, account, next, head);
  }

  async #verify(
    { origin, custodian, tenant, trust, now }: Owner,
    account: string,
    rows: Map<string, VersionRow>,
    head: string,
  ): Result<"versions"> {
    const of = { tenant, account, app: origin };
    const { sequence, founded, root } = await verifyIndexReceipt(head, trust, of, seconds(now)).catch(
      (cause: unknown) => {
        throw cause instanceof JwsError ? new CofferError("index-refused", { cause }) : cause;
      },
    );
    const pin = `versions ${origin} ${tenant} ${account}`;
    if (sequence < (await this.#store.trustSerial(pin))) throw new CofferError("index-superseded");
    if ((await rootOfRows(rows.values())) !== root) {
      this.#indexes.delete(account);
      await this.#store.deleteVersions({ origin, custodian, account });
      throw new CofferError("index-refused");
    }
    await this.#store.keepTrustSerial(pin, sequence);
    const known = this.#indexes.get(account);
    this.#indexes.set(account, { sequence, founded, rows });
    // Without it all rows only have to be read again.
    if (known?.sequence !== sequence || known.founded !== founded)
      await this.#store
        .keepVersions({ origin, custodian, account, sequence, founded, rows: [...rows.values()] })
        .catch(() => {});
    return { sequence, founded };
  }

  async compare(owner: Owner, { account, documents, whole }: Params<"compare">): Result<"compare"> {
    const { rows } = await this.#known(owner, account);
    const told = { hidden: [], unknown: [], changed: [], deleted: [] } as Awaited<Result<"compare">>;
    const there = new Set<string>();
    for (const { document, headerDigest, metadataDigest } of documents) {
      there.add(document);
      const row = rows.get(document);
      if (!row) told.unknown.push(document);
      else if (row.deleted) told.deleted.push(document);
      else if (differs(row.headerDigest, headerDigest) || differs(row.metadataDigest, metadataDigest))
        told.changed.push(document);
    }
    if (whole)
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
    const rows = new Map(kept?.rows.map((row) => [row.document, row]));
    const index = { sequence: kept?.sequence ?? 0, founded: kept?.founded ?? false, rows };
    this.#indexes.set(account, index);
    return index;
  }
}

/** What either of them does not say is no difference. */
function differs(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && a !== b;
}
