/**
 * What an earlier release kept in one object for a whole tenant comes to the object whose it is now, when that is first
 * used. It comes in pages, each stored in one transaction with where the next begins: what is cut off in between goes on
 * there, and nothing is lost or twice. From the first page on the earlier object leaves these rows alone; it forgets them
 * when all are here.
 */

import { wakeBy } from "./alarm.ts";
import type { Store } from "./store.ts";

/** Rows, and where the next page begins; null for the last. */
export type Page<R> = { rows: R[]; next: string | null };

/** The earlier object, as far as these rows go. */
export type Source<R> = {
  page(after: string | null): Promise<Page<R>>;
  /** Forgets some of them. False while there are more. */
  forget(): Promise<boolean>;
};

export type Handover = {
  /** Ends when everything is here. Throws while the earlier object is away. */
  take(): Promise<void>;
  /** For `alarm()`: takes what is not here yet, and has the earlier object forget it. False while not all is here. */
  settle(): Promise<boolean>;
};

/** A part of the migrations of every object that takes something over. */
export const HANDOVER_TABLE = `
  CREATE TABLE handover (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    -- Where the next page begins; null for the first.
    after TEXT,
    state TEXT NOT NULL CHECK (state IN ('taking', 'taken', 'done'))
  ) STRICT;
`;

type State = { after: string | null; state: "taking" | "taken" | "done" };

/** What was cut off goes on after so long. Milliseconds. */
const AGAIN_MS = 10_000;

/** `insert` puts one row into its table, in the page's transaction. */
export function openHandover<R>(
  storage: DurableObjectStorage,
  store: Pick<Store, "sql" | "transaction">,
  { source, insert }: { source: Source<R>; insert: (sql: SqlStorage, row: R) => void },
): Handover {
  const { sql } = store;
  const wake = () => wakeBy(storage, Date.now() + AGAIN_MS);
  const read = () => sql.exec<State>("SELECT after, state FROM handover").toArray()[0];
  let taking: Promise<void> | undefined;

  async function takeAll(): Promise<void> {
    let at = read();
    if (at === undefined) {
      at = { after: null, state: "taking" };
      sql.exec("INSERT INTO handover VALUES (1, NULL, 'taking')");
      await wake();
    }
    while (at.state === "taking") {
      const page = await source.page(at.after);
      at = next(at, page);
      store.transaction(() => {
        for (const row of page.rows) insert(sql, row);
        sql.exec("UPDATE handover SET after = ?, state = ?", at?.after ?? null, at?.state ?? "taking");
      });
    }
  }

  return {
    take() {
      taking ??= takeAll().catch((error: unknown) => {
        taking = undefined;
        throw error;
      });
      return taking;
    },
    async settle() {
      if (read() === undefined) return true;
      try {
        await this.take();
        if (read()?.state === "done") return true;
        while (!(await source.forget()));
        sql.exec("UPDATE handover SET state = 'done'");
      } catch (error) {
        const name = error instanceof Error ? error.name : "unknown";
        console.warn(JSON.stringify({ event: "handover-waits", error: name }));
        await wake();
      }
      return read()?.state !== "taking";
    },
  };
}

/** Puts a row into its table as it was. For `insert`; `table` and the names of the columns are our own. */
export function insertRow(sql: SqlStorage, table: string, row: Record<string, SqlStorageValue>): void {
  const names = Object.keys(row);
  sql.exec(
    `INSERT OR IGNORE INTO ${table} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
    ...Object.values(row),
  );
}

function next({ after }: State, { rows, next }: Page<unknown>): State {
  if (next !== null) return { after: next, state: "taking" };
  const nothing = after === null && rows.length === 0;
  return { after: null, state: nothing ? "done" : "taken" };
}
