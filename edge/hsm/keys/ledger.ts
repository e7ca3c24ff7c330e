/**
 * The ledger of an object: what it is making at the HSM. An entry that stays is of work that was cut off, and what that
 * left at the HSM is found by name and removed; or of work that left nothing, of which nothing is found.
 */

import { transientName } from "#protocol/hierarchy/index.ts";
import { wakeBy } from "../../alarm.ts";
import type { Hsm } from "../client.ts";
import { sweep } from "./retire.ts";

/** Work under way: its id, and how many objects it makes. */
export type Leftover = { id: string; objects: number };

export interface Ledger {
  /** What the ids of this domain's batches begin with. */
  readonly domain: string;
  /** Before the HSM is asked, and again when what waited goes out; the alarm looks after it if nobody else does. */
  begin(entry: Leftover): void;
  /** All that it made is gone, or is meant to stay. */
  end(entry: Pick<Leftover, "id">): void;
  /** The same of what left nothing there, whatever its names: the entry goes by the next alarm, with others'. One that outlives it finds nothing. */
  leftNothing(entry: Pick<Leftover, "id">): void;
  /** Removes now what it made. If that fails the entry stays, and the alarm tries again. */
  clear(entry: Leftover): Promise<void>;
  /** For `alarm()`: deletes the entries of what left nothing, and clears what was cut off. */
  sweep(): Promise<void>;
}

/** The table: a part of the migrations of every object that has a ledger. `started`: milliseconds since 1970. */
export const LEDGER_TABLE = `
  CREATE TABLE hsm_batches (
    id TEXT PRIMARY KEY,
    objects INTEGER NOT NULL,
    started INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/** Work that has been under way for so long was cut off. Milliseconds. */
const CUT_OFF_MS = 60_000;
/** Entries of what left nothing are deleted after so long, all at once. Milliseconds. */
const OVER_MS = 1000;
/** Entries that one alarm clears. */
const MAX_SWEPT = 20;

/**
 * `removalOf`: the names that an entry's objects have at the HSM, in the order in which they are removed; or their removal, begun, where names
 * do not tell which they are.
 */
export function openLedger(
  ctx: Pick<DurableObjectState, "storage" | "waitUntil">,
  hsm: Pick<Hsm, "batch">,
  domain: string,
  removalOf: (entry: Leftover) => string[] | Promise<void> = transientNames,
): Ledger {
  const { storage } = ctx;
  const { sql } = storage;
  const wake = () => wakeBy(storage, Date.now() + CUT_OFF_MS);
  const count = (where: string, ...of: number[]) =>
    sql.exec<{ entries: number }>(`SELECT count(*) AS entries FROM hsm_batches ${where}`, ...of).one()
      .entries;
  // An eviction between an entry and its alarm must not leave the entry behind.
  const { oldest } = sql
    .exec<{ oldest: number | null }>("SELECT min(started) AS oldest FROM hsm_batches")
    .one();
  if (oldest !== null) ctx.waitUntil(wakeBy(storage, Math.max(oldest + CUT_OFF_MS, Date.now())));
  /** Entries of what left nothing: a write of its own for each would keep the answer waiting for the disk once more. */
  const over = new Set<string>();
  const ledger: Ledger = {
    domain,
    begin({ id, objects }) {
      sql.exec(
        "INSERT OR REPLACE INTO hsm_batches (id, objects, started) VALUES (?, ?, ?)",
        id,
        objects,
        Date.now(),
      );
      ctx.waitUntil(wake());
    },
    end: ({ id }) => void sql.exec("DELETE FROM hsm_batches WHERE id = ?", id),
    leftNothing({ id }) {
      if (over.size === 0) ctx.waitUntil(wakeBy(storage, Date.now() + OVER_MS));
      over.add(id);
    },
    clear: (entry) => {
      const removal = removalOf(entry);
      return (Array.isArray(removal) ? sweep(hsm, removal) : removal).then(
        () => ledger.end(entry),
        () => wake(),
      );
    },
    async sweep() {
      sql.exec(
        "DELETE FROM hsm_batches WHERE id IN (SELECT value FROM json_each(?))",
        JSON.stringify([...over]),
      );
      over.clear();
      const started = Date.now() - CUT_OFF_MS;
      const cutOff = sql
        .exec<Leftover>("SELECT id, objects FROM hsm_batches WHERE started <= ? LIMIT ?", started, MAX_SWEPT)
        .toArray();
      const before = count("WHERE started <= ?", started);
      for (const entry of cutOff) await ledger.clear(entry);
      const left = count("WHERE started <= ?", started);
      // A crash may have left hundreds, most of which made nothing that stays: the others are not to wait for them by minutes.
      if (left > 0 && left < before) await wakeBy(storage, Date.now() + OVER_MS);
      else if (count("") > 0) await wake();
    },
  };
  return ledger;
}

/** Of what a batch makes (`runBatch`). */
export function transientNames({ id, objects }: Leftover): string[] {
  return Array.from({ length: objects }, (_, n) => transientName(id, n));
}
