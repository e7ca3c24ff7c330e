import { authorize } from "../authorize.ts";
import { takeTurn } from "../pace.ts";
import { ok, type Result, turnAway } from "../result.ts";
import { hashSecret, newSecret } from "../secret.ts";
import type { Store } from "../store.ts";
import { DEFAULT_PER_MINUTE, DEFAULT_SIGN_INS, makeRoomForSession } from "./bounds.ts";
import { endFamilies, familiesOf } from "./families.ts";
import type { VaultSession } from "./types.ts";

/** A working day and night; then the user signs in again. Seconds. */
const SESSION_SECONDS = 24 * 3600;

export type Account = { id: string; name: string };
export type SignedIn = { cookie: string; maxAge: number };

/**
 * Signs a user in by name alone; a new name becomes a new user with an account of its own. Development only. `previous`
 * is the hash of the cookie that this one replaces: the same user's session goes on under the new cookie, so that its
 * sign-out still ends all of it; another user's ends.
 */
export async function signInByName(
  store: Store,
  request: {
    name: string;
    previous: string | null;
    requestId: string;
    now: number;
    allowed: { allowed: boolean; why: string };
    /** Sessions that a user may have at a time. */
    max?: number;
    /** Sign-ins of a user, and users who are made, in a minute. */
    perMinute?: number;
  },
): Promise<Result<SignedIn>> {
  const { name, previous, requestId, now, allowed } = request;
  const { max = DEFAULT_SIGN_INS, perMinute = DEFAULT_PER_MINUTE } = request;
  const cookie = newSecret();
  const hash = await hashSecret(cookie);
  return authorize(store, { action: "iam:sign-in", caller: null, resource: "session", requestId }, (sql) => {
    if (!allowed.allowed) return turnAway("not-found", `development sign-in is off: ${allowed.why}`);
    const known = findUser(sql, name);
    const of = known === undefined ? "everyone new" : known;
    const turn = takeTurn(sql, { what: "iam:sign-in", user: of }, perMinute, now);
    if (!turn.ok) return turn;
    const user = known ?? createUser(sql, name, now);
    makeRoomForSession(sql, user, max);
    sql.exec(
      "INSERT INTO sessions (hash, user, expires, id) VALUES (?, ?, ?, ?)",
      ...[hash, user, now + SESSION_SECONDS, crypto.randomUUID()],
    );
    if (previous !== null) replaceSession(sql, previous, { hash, user }, now);
    return ok({ cookie, maxAge: SESSION_SECONDS });
  });
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
  const accounts = accountsOf(store.sql, row.user).map(({ id }) => id);
  const { id, user, expires } = row;
  return { id, tenant: store.tenant, user, name: userName(store.sql, user), accounts, expires };
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

export function accountsOf(sql: SqlStorage, user: string): Account[] {
  return [
    ...sql.exec<Account>(
      "SELECT a.id, a.name FROM members m JOIN accounts a ON a.id = m.account WHERE m.user = ? AND a.deleted IS NULL ORDER BY a.created, a.id",
      user,
    ),
  ];
}

export function userName(sql: SqlStorage, user: string): string {
  return sql.exec<{ name: string }>("SELECT name FROM users WHERE id = ?", user).one().name;
}

function findUser(sql: SqlStorage, name: string): string | undefined {
  const [row] = sql.exec<{ id: string }>("SELECT id FROM users WHERE name = ?", name).toArray();
  return row?.id;
}

function createUser(sql: SqlStorage, name: string, now: number): string {
  const [user, account] = [crypto.randomUUID(), crypto.randomUUID()];
  sql.exec("INSERT INTO users VALUES (?, ?, ?)", user, name, now);
  sql.exec("INSERT INTO accounts VALUES (?, ?, ?, NULL)", account, name, now);
  sql.exec("INSERT INTO members VALUES (?, ?)", user, account);
  return user;
}
