import { expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import type { Store } from "../store.ts";
import { scheduleDataKey } from "./schedule-data-key.ts";
import { MIGRATIONS } from "./schema.ts";

const NOW = 1_800_000_000;
const ENDS = NOW + 7 * 24 * 3600;

/** A version of a data key of the app `page`, in that state by the way that brings its EDK. */
function setup(state: "enabled" | "disabled") {
  const sql: SqlStorage = sqlStorage([
    "CREATE TABLE store_identity (source TEXT); INSERT INTO store_identity VALUES ('kms/a-1');",
    ...MIGRATIONS,
  ]);
  sql.exec(
    "INSERT INTO account_data_keys (id, version, client, state, hsm) VALUES ('k', 1, 'page', 'kept', 'h')",
  );
  sql.exec(
    `INSERT INTO data_keys (id, version, account, client, owner, purpose, account_key, account_key_version, created, state, policy)
     VALUES ('k', 1, 'a-1', 'page', 'ann', 'document', 'ak', 1, 0, ?, '{}')`,
    state,
  );
  const store = {
    ...{ sql, tenant: "acme" },
    transaction: <T>(closure: () => T) => closure(),
    record() {},
    recordBounded() {},
  } as unknown as Store;
  const of = { client: "page", key: { id: "k", version: 1 }, requestId: "r" };
  const schedule = (ends: number | null, client = "page") =>
    scheduleDataKey({ store }, { ...of, client, ends }, NOW);
  const now = () => sql.exec<{ state: string }>("SELECT state FROM data_keys").one().state;
  return { schedule, now };
}

it.each(["enabled", "disabled"] as const)(
  "W10 a version that was %s is so again when it is kept after all, however often it was scheduled",
  (state) => {
    const { schedule, now } = setup(state);
    for (const ends of [ENDS, ENDS]) {
      expect(schedule(ends).ok).toBe(true);
      expect(now()).toBe("disabled");
    }
    for (const ends of [null, null]) {
      expect(schedule(ends).ok).toBe(true);
      expect(now()).toBe(state);
    }
  },
);

it("W10 a version that is not scheduled is not enabled by keeping it, and another app's is nobody's to keep", () => {
  const { schedule, now } = setup("disabled");
  expect(schedule(null).ok).toBe(true);
  expect(now()).toBe("disabled");
  expect(schedule(ENDS, "another app")).toMatchObject({ problem: { code: "not-found" } });
});
