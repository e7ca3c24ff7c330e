import type { Store } from "../store.ts";

/** Codes stay as long as what they were exchanged into, to notice a second use. */
const KEEP_SECONDS = 24 * 3600;

/** Drops what has run out. Users and accounts stay. */
export function sweep(store: Store, now: number): void {
  const { sql } = store;
  store.transaction(() => {
    sql.exec("DELETE FROM proofs WHERE expires <= ?", now);
    sql.exec("DELETE FROM sessions WHERE expires <= ?", now);
    sql.exec("DELETE FROM codes WHERE expires <= ?", now - KEEP_SECONDS);
    sql.exec("DELETE FROM refresh_tokens WHERE family IN (SELECT id FROM families WHERE expires <= ?)", now);
    sql.exec("DELETE FROM custodians WHERE family IN (SELECT id FROM families WHERE expires <= ?)", now);
    sql.exec("DELETE FROM families WHERE expires <= ?", now);
  });
}
