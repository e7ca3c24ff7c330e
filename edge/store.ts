import { wakeBy } from "./alarm.ts";
import type { AuditRow } from "./audit/row.ts";
import { type Counted, DENIALS, nextCounted, noteDenial, takeCounted } from "./denials.ts";

export type Store = {
  readonly sql: SqlStorage;
  readonly tenant: string;
  /** Runs `closure` in one transaction; what it throws rolls back. No `await` inside. */
  transaction<T>(closure: () => T): T;
  /** Adds an audit row to the outbox, in the caller's transaction. `authorize()` is the only one to call this. */
  record(row: Omit<AuditRow, "outbox" | "time">): void;
  /** Adds a denial that can be caused at will: a row while there are few of its action (and user) in this minute, a count afterwards. */
  recordBounded(row: Omit<AuditRow, "outbox" | "time">): void;
  /** Call it from the object's `alarm()`: forwards the outbox, and tries again later if the Audit domain is away. */
  flush(): Promise<void>;
};

const OUTBOX = `
  CREATE TABLE audit_outbox (
    outbox INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    row TEXT NOT NULL
  ) STRICT;
  CREATE TABLE store_identity (only INTEGER PRIMARY KEY CHECK (only = 1), tenant TEXT NOT NULL, source TEXT NOT NULL,
    epoch TEXT NOT NULL) STRICT;
  ${DENIALS}
`;

/** Rows forwarded by one call, so that a message stays far below the RPC limit. */
const FLUSH = 200;
/** Rows wait this long for company: one call to the chain then carries many decisions. */
export const FLUSH_AFTER_MS = 500;
export const RETRY_AFTER_MS = 10_000;

/**
 * Opens the SQLite store of a domain's Durable Object (call it in the constructor): applies the migrations that are
 * missing, in order, each in a transaction; `PRAGMA user_version` does not exist there, hence a table. Migrations are
 * only ever appended to. Migration 0 is the outbox of audit rows, the same in every domain.
 *
 * The object's name is `<tenant>` or `<tenant>/<anything>`.
 */
export function openStore(
  ctx: DurableObjectState,
  options: {
    domain: string;
    audit: Pick<Env["AUDIT_KMS"], "append">;
    migrations: readonly string[];
    now?: () => number;
  },
): Store {
  const { storage } = ctx;
  const { sql } = storage;
  const now = options.now ?? Date.now;

  sql.exec(
    "CREATE TABLE IF NOT EXISTS _sql_schema_migrations (version INTEGER PRIMARY KEY, applied TEXT NOT NULL) STRICT",
  );
  const migrations = [OUTBOX, ...options.migrations];
  const applied = sql
    .exec<{ count: number }>("SELECT count(*) AS count FROM _sql_schema_migrations")
    .one().count;
  for (const [version, migration] of migrations.entries()) {
    if (version < applied) continue;
    storage.transactionSync(() => {
      sql.exec(migration);
      sql.exec("INSERT INTO _sql_schema_migrations VALUES (?, ?)", version, new Date(now()).toISOString());
    });
  }

  const { tenant, source, epoch } = identify(ctx, options.domain);
  let scheduled = false;

  const schedule = (after: number) => wakeBy(storage, now() + after);

  // An eviction between a commit and its alarm must not leave rows behind.
  if (sql.exec("SELECT 1 FROM audit_outbox LIMIT 1").next().done !== true)
    ctx.waitUntil(schedule(FLUSH_AFTER_MS));

  function record(row: Omit<AuditRow, "outbox" | "time">): void {
    sql.exec(
      "INSERT INTO audit_outbox (time, row) VALUES (?, ?)",
      new Date(now()).toISOString(),
      JSON.stringify(row),
    );
    if (scheduled) return;
    scheduled = true;
    ctx.waitUntil(schedule(FLUSH_AFTER_MS));
  }

  function recordCounted({ action: key, minute, counted }: Counted): void {
    const [action = key, user] = key.split(" ");
    const from = new Date(minute * 60_000).toISOString();
    const reason = `${counted} more denials in the minute from ${from}`;
    const requestId = crypto.randomUUID();
    record({
      action,
      resource: "many",
      requestId,
      outcome: "deny",
      code: "too-many-requests",
      reason,
      ...(user !== undefined && { user }),
    });
  }

  return {
    sql,
    tenant,
    transaction: (closure) => storage.transactionSync(closure),
    record,
    recordBounded(row) {
      // Each user's are counted apart: nobody hides another's.
      const key = row.user === undefined ? row.action : `${row.action} ${row.user}`;
      const { record: told, counted } = noteDenial(sql, key, now());
      if (counted !== null) recordCounted(counted);
      if (told) return record(row);
      const next = nextCounted(sql);
      if (next !== null) ctx.waitUntil(schedule(next - now()));
    },
    async flush() {
      scheduled = false;
      storage.transactionSync(() => takeCounted(sql, now()).forEach(recordCounted));
      const next = nextCounted(sql);
      if (next !== null) await schedule(Math.max(next - now(), FLUSH_AFTER_MS));
      try {
        for (;;) {
          const rows = [
            ...sql.exec<{ outbox: number; time: string; row: string }>(
              "SELECT outbox, time, row FROM audit_outbox ORDER BY outbox LIMIT ?",
              FLUSH,
            ),
          ];
          const last = rows.at(-1);
          if (last === undefined) return;
          const batch = rows.map(
            ({ outbox, time, row }) => ({ ...JSON.parse(row), outbox, time }) as AuditRow,
          );
          const result = await options.audit.append({ tenant, source, epoch, rows: batch });
          if (!result.ok) throw new Error(result.problem.code);
          sql.exec("DELETE FROM audit_outbox WHERE outbox <= ?", last.outbox);
        }
      } catch (error) {
        console.warn(
          JSON.stringify({
            event: "audit-forward-failed",
            source,
            error: error instanceof Error ? error.name : "unknown",
          }),
        );
        scheduled = true;
        await schedule(RETRY_AFTER_MS);
      }
    },
  };
}

/**
 * Whether the object has ever opened its store. One that was reached by a name that somebody made up has not, and a
 * refusal must leave it as it is.
 */
export function hasStore({ storage }: Pick<DurableObjectState, "storage">): boolean {
  const found = storage.sql.exec(
    "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sql_schema_migrations'",
  );
  return found.toArray().length === 1;
}

/** What of the tenant an object with a store is for, as its name says after the tenant's: an account, a user. */
export function subjectOf(sql: SqlStorage): string {
  const { source } = sql.exec<{ source: string }>("SELECT source FROM store_identity").one();
  return source.slice(source.indexOf("/") + 1);
}

type Identity = { tenant: string; source: string; epoch: string };

/**
 * Names come with the request that reaches the object but not always with its alarm: the first one is kept. The epoch
 * is new whenever the store is: an object that deletes all it has counts its outbox from 1 again, and the chain must not
 * take the new rows for old ones.
 */
function identify(ctx: DurableObjectState, domain: string): Identity {
  const { sql } = ctx.storage;
  const [kept] = [...sql.exec<Identity>("SELECT tenant, source, epoch FROM store_identity")];
  if (kept !== undefined) return kept;
  const { name } = ctx.id;
  if (name === undefined) throw new Error("A domain's object is reached by name");
  const [tenant = name] = name.split("/", 1);
  const source = name === tenant ? domain : `${domain}/${name.slice(tenant.length + 1)}`;
  const epoch = crypto.randomUUID();
  sql.exec("INSERT INTO store_identity VALUES (1, ?, ?, ?)", tenant, source, epoch);
  return { tenant, source, epoch };
}
