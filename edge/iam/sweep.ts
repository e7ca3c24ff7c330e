import type { Store } from "../store.ts";
import { endExpiredFamilies } from "./families.ts";
import { dropEndedNames } from "./named-instances.ts";
import { dropUsed } from "./used-once.ts";

/** Codes stay as long as what they were exchanged into, to notice a second use. */
const KEEP_SECONDS = 24 * 3600;

/** Drops what has run out, and notes whose instances end with it. Users and accounts stay. */
export function sweep(store: Store, now: number): void {
  const { sql } = store;
  store.transaction(() => {
    sql.exec("DELETE FROM proofs WHERE expires <= ?", now);
    sql.exec("DELETE FROM used_sign_ins WHERE expires <= ?", now);
    sql.exec("DELETE FROM sessions WHERE expires <= ?", now);
    sql.exec("DELETE FROM codes WHERE expires <= ?", now - KEEP_SECONDS);
    dropEndedNames(sql, now);
    dropUsed(sql, now);
    endExpiredFamilies(sql, now);
  });
}
