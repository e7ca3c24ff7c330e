import { ownAccountId } from "#protocol/principal.ts";
import { authorize } from "../authorize.ts";
import { intend, isWaiting } from "../outbox.ts";
import { takeTurn } from "../pace.ts";
import { ok, type Result, turnAway } from "../result.ts";
import { bearerOf, hashSecret, principalOf } from "../secret.ts";
import type { Store } from "../store.ts";
import { DEFAULT_PER_MINUTE, DEFAULT_SIGN_INS, makeRoomForSession } from "./bounds.ts";
import type { Membership } from "./earlier.ts";
import { endFamilies, familiesOf } from "./families.ts";
import { noteMembership } from "./memberships.ts";
import type { Founding } from "./news.ts";
import { type Claims, keepClaims } from "./standing.ts";
import type { VaultSession } from "./types.ts";

/** A working day and night; then the user signs in again. Seconds. */
const SESSION_SECONDS = 24 * 3600;
/** Longer than any transaction with a provider lasts (`edge/iam/oidc`). */
const TRANSACTION_SECONDS = 3600;

export type SignedIn = { cookie: string; maxAge: number };

/** A session that another principal's has taken the place of: its object ends it. `session` is the hash of its cookie. */
export type Replaced = { session: string; requestId: string };

/**
 * Signs a principal in for whom the tenant's provider has vouched, once for each transaction; one that was not here before
 * begins with the accounts of an `earlier` release, or with an account of its own. `previous` is the cookie that this one
 * replaces: the same user's session goes on under the new cookie, so that its sign-out still ends all of it; another user's ends.
 */
export async function signIn(
  store: Store,
  request: {
    principal: string;
    name: string;
    earlier: Membership[];
    /** The app in which it signs in, by its client id: for which a first account has its first data key. */
    app?: string;
    claims?: Claims;
    previous: string | null;
    /** Id of the transaction with the provider. */
    transaction: string;
    requestId: string;
    now: number;
    /** Sessions that a user may have at a time. */
    max?: number;
    /** Sign-ins of a user in a minute. */
    perMinute?: number;
  },
): Promise<Result<SignedIn>> {
  const { principal, name, earlier, app, previous, transaction, requestId, now } = request;
  const { max = DEFAULT_SIGN_INS, perMinute = DEFAULT_PER_MINUTE } = request;
  const { claims = { groups: [], admin: null } } = request;
  const { tenant } = store;
  const cookie = bearerOf(principal);
  const [hash, replaced, account] = await Promise.all([
    hashSecret(cookie),
    previous === null ? null : hashSecret(previous),
    ownAccountId({ tenant, principal }),
  ]);
  const holder = previous === null ? null : principalOf(previous);
  return authorize(store, { action: "iam:sign-in", caller: null, resource: "session", requestId }, (sql) => {
    const turn = takeTurn(sql, { what: "iam:sign-in", user: principal }, perMinute, now);
    if (!turn.ok) return turn;
    if (!useUp(sql, transaction, now)) return turnAway("conflict", "the provider's answer was used before");
    if (isKnown(sql)) sql.exec("UPDATE principal SET name = ?", name);
    else {
      sql.exec("INSERT INTO principal VALUES (?, ?, ?)", principal, name, now);
      const by = { principal, requestId };
      for (const begun of earlier) joinAccount(sql, begun, { ...by, earlier: true });
      if (earlier.length === 0)
        joinAccount(sql, { account, name, created: now }, { ...by, earlier: false, ...(app && { app }) });
    }
    makeRoomForSession(sql, principal, max);
    sql.exec(
      "INSERT INTO sessions (hash, user, expires, id) VALUES (?, ?, ?, ?)",
      ...[hash, principal, now + SESSION_SECONDS, crypto.randomUUID()],
    );
    if (replaced !== null && holder === principal)
      replaceSession(sql, replaced, { hash, user: principal }, now);
    else if (replaced !== null && holder !== null)
      intend(sql, `principal/${holder}`, { session: replaced, requestId } satisfies Replaced);
    keepClaims(sql, claims);
    return ok({ cookie, maxAge: SESSION_SECONDS });
  });
}

/** Whether nobody has signed in by this transaction before. It is kept for longer than it is good for. */
function useUp(sql: SqlStorage, transaction: string, now: number): boolean {
  const used = sql.exec(
    "INSERT INTO used_sign_ins VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING id",
    transaction,
    now + TRANSACTION_SECONDS,
  );
  return used.toArray().length === 1;
}

/** Whether another user's object has still to hear that this principal's session took the place of the cookie's. */
export function isReplacing(
  sql: SqlStorage,
  { principal, previous }: { principal: string; previous: string | null },
): boolean {
  const holder = previous === null ? null : principalOf(previous);
  return holder !== null && holder !== principal && isWaiting(sql, `principal/${holder}`);
}

/** Whether this principal has signed in before. */
export function isKnown(sql: SqlStorage): boolean {
  return sql.exec("SELECT 1 FROM principal").toArray().length === 1;
}

/** Notes a membership, of which the account's own object has still to hear. */
export function joinAccount(
  sql: SqlStorage,
  begun: Membership,
  by: Pick<Founding, "principal" | "earlier" | "requestId" | "nonce" | "app">,
): void {
  noteMembership(sql, begun);
  intend(sql, `account/${begun.account}`, { ...begun, ...by } satisfies Founding);
}

/** Who the cookie stands for. Reading is no decision, so it leaves no audit row; what is done with it does. */
export function findSession(store: Store, hash: string, now: number): VaultSession | null {
  const [row] = store.sql
    .exec<{ id: string; user: string; expires: number }>(
      "SELECT id, user, expires FROM sessions WHERE hash = ? AND expires > ?",
      hash,
      now,
    )
    .toArray();
  if (row === undefined) return null;
  const { id, user, expires } = row;
  return { id, tenant: store.tenant, user, name: userName(store.sql), expires };
}

/**
 * Ends what was issued in the session to one app, or with `client` null the session itself and everything that was issued
 * in it. Where nothing is left to end (a made-up cookie, a second press) there is nothing to decide, and no audit row: so it
 * needs no bound that could refuse a sign-out.
 */
export function signOut(
  store: Store,
  { hash, client, requestId, now }: { hash: string; client: string | null; requestId: string; now: number },
): Result<null> {
  const left = store.sql.exec(
    `SELECT 1 FROM sessions WHERE hash = ?1 AND ?2 IS NULL
     UNION SELECT 1 FROM families WHERE session = ?1 AND client = coalesce(?2, client) AND revoked IS NULL
     UNION SELECT 1 FROM codes WHERE session = ?1 AND client = coalesce(?2, client) AND used IS NULL`,
    hash,
    client,
  );
  if (left.toArray().length === 0) return ok(null);
  const resource = client === null ? "session" : `client/${client}`;
  return authorize(store, { action: "iam:sign-out", caller: null, resource, requestId }, (sql) => {
    if (client === null) sql.exec("DELETE FROM sessions WHERE hash = ?", hash);
    endIssued(sql, hash, client, now);
    return ok(null);
  });
}

/** The same for all sessions of the principal. */
export function signOutEverywhere(
  store: Store,
  { requestId, now }: { requestId: string; now: number },
): Result<null> {
  const about = { action: "iam:end-user", caller: null, resource: "sessions", requestId };
  return authorize<null>(store, about, (sql) => {
    sql.exec("DELETE FROM sessions");
    const live = sql.exec<{ id: string }>("SELECT id FROM families WHERE revoked IS NULL").toArray();
    endFamilies(
      sql,
      live.map(({ id }) => id),
      now,
    );
    sql.exec("UPDATE codes SET used = ? WHERE used IS NULL", now);
    return ok(null);
  });
}

/** Apps that have a live sign-in in the session, by their client ids. */
export function signedInApps(sql: SqlStorage, hash: string, now: number): string[] {
  const rows = sql.exec<{ client: string }>(
    "SELECT DISTINCT client FROM families WHERE session = ? AND revoked IS NULL AND expires > ? ORDER BY client",
    hash,
    now,
  );
  return rows.toArray().map(({ client }) => client);
}

function endIssued(sql: SqlStorage, session: string, client: string | null, now: number): void {
  endFamilies(sql, familiesOf(sql, session, client), now);
  sql.exec(
    "UPDATE codes SET used = ? WHERE session = ? AND used IS NULL AND client = coalesce(?, client)",
    now,
    session,
    client,
  );
}

function replaceSession(
  sql: SqlStorage,
  previous: string,
  next: { hash: string; user: string },
  now: number,
): void {
  const [same] = sql
    .exec<{ id: string }>(
      "DELETE FROM sessions WHERE hash = ? AND user = ? RETURNING id",
      previous,
      next.user,
    )
    .toArray();
  if (same === undefined) {
    sql.exec("DELETE FROM sessions WHERE hash = ?", previous);
    endIssued(sql, previous, null, now);
    return;
  }
  sql.exec("UPDATE sessions SET id = ? WHERE hash = ?", same.id, next.hash);
  sql.exec("UPDATE families SET session = ? WHERE session = ?", next.hash, previous);
  sql.exec("UPDATE codes SET session = ? WHERE session = ?", next.hash, previous);
}

export function userName(sql: SqlStorage): string {
  return sql.exec<{ name: string }>("SELECT name FROM principal").one().name;
}
