/** The end of a data key of the tenant itself (M6), for the principal who ordered it and for admins: given to nobody from the decision on, and forgotten on its day (M11). */

import { seconds } from "#protocol/clock.ts";
import type { UserKeys, UserKeysQuery } from "#protocol/contract/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { type Decision, ok, type Result, refuse } from "../result.ts";
import type { Store } from "../store.ts";
import { nameOf, type Version } from "./account-data-keys.ts";
import { type Door, noMember } from "./context.ts";
import { keepEnd, NOTICE_SECONDS, versionOf } from "./key-management.ts";
import { checkPolicies, factsOfCaller } from "./policies.ts";

type Row = { client: string; owner: string; purpose: string; ends: number | null; ended_by: string | null };
type Listed = Version & {
  created: number;
  expires: number | null;
  last_released: number | null;
  standing: UserKeys["keys"][number]["state"];
};
/** Keys of one page. */
const PAGE = 100;

/** Through the door of the caller's own object. `ends`: seconds since 1970; null calls it off. Errors: `forbidden`, `not-found`, `conflict`. */
export async function endOwnKey(
  { neighbours, enter, refuse: turnAway }: Door,
  caller: Caller,
  key: Version,
  ends: number | null,
): Promise<Result<null>> {
  const about = aboutKey("kms:end-own-key", caller, key);
  const signedIn = await neighbours.IAM.signedIn(caller);
  if (!signedIn.ok) return turnAway(about, noMember(signedIn.problem));
  const kms = await enter();
  return authorize<null>(kms.store, about, (sql) => {
    const row = find(sql, key);
    if (row?.client !== caller.client || row.owner !== caller.user)
      return refuse("not-found", "no such data key of this app and principal");
    const facts = factsOfCaller(caller, {
      ...{ action: "create", resource: `keys/${key.id}`, account: null },
      ...{ purpose: row.purpose, person: signedIn.value },
    });
    const allowed = checkPolicies(kms.policies(), facts);
    if (!allowed.ok) return allowed;
    if (row.ended_by !== null) return refuse("forbidden", "an admin has decided on its end");
    return end(sql, key, row, ends);
  });
}

/**
 * In the object of who ordered it, for an admin, who was asked for before, and who calls off what an admin has decided alone. Errors: `not-found`,
 * `conflict`.
 */
export function endKeyOfUser(store: Store, caller: Caller, key: Version, ends: number | null): Result<null> {
  return authorize<null>(store, aboutKey(END_KEY_OF_USER, caller, key), (sql) => {
    const row = find(sql, key);
    if (row === undefined) return refuse("not-found", "no such data key of this principal");
    if (ends === null && row.ends !== null && row.ended_by === null)
      return refuse("conflict", "who ordered the key has decided on its end");
    const decided = end(sql, key, row, ends);
    if (decided.ok) {
      const by = ends === null ? null : caller.user;
      sql.exec(
        "UPDATE key_management SET ended_by = ? WHERE id = ? AND version = ?",
        by,
        key.id,
        key.version,
      );
    }
    return decided;
  });
}

export const END_KEY_OF_USER = "kms:end-key-of-user";

/** The same, and an order about a key. */
export function aboutKey(action: string, caller: Caller, key: Version) {
  return { action, caller, resource: `key/${nameOf(key)}`, requestId: caller.requestId };
}

/** All that the principal of this object has ordered, for an admin, by pages. */
export function keysOfUser(
  store: Store,
  caller: Caller,
  { after, purpose, state }: UserKeysQuery,
): Result<UserKeys> {
  const [id, version] = after === undefined ? ["", 0] : versionOf(after);
  const about = { action: "kms:list-keys-of-user", caller, resource: "keys", requestId: caller.requestId };
  return authorize(store, about, (sql) => {
    // One more than is told says whether there are more.
    const rows = sql
      .exec<Row & Listed>(
        `SELECT id, version, client, owner, purpose, created, expires, ends, ended_by, last_released,
            iif(ends IS NULL, state, 'ending') AS standing
          FROM data_keys LEFT JOIN key_management USING (id, version)
          WHERE (id, version) > (?, ?) AND (? IS NULL OR purpose = ?) AND (? IS NULL OR standing = ?)
          ORDER BY id, version LIMIT ?`,
        ...[id, version, purpose ?? null, purpose ?? null, state ?? null, state ?? null, PAGE + 1],
      )
      .toArray();
    const keys = rows
      .slice(0, PAGE)
      .map(({ client, purpose, created, expires, ends, standing, last_released, ...key }) => ({
        ...{ key: nameOf(key), client, purpose, created, state: standing },
        ...(expires !== null && { expires }),
        ...(ends !== null && { ends }),
        ...(last_released !== null && { lastReleased: last_released }),
      }));
    return ok({ keys, more: rows.length > PAGE });
  });
}

function find(sql: SqlStorage, { id, version }: Version): Row | undefined {
  const [row] = sql
    .exec<Row>(
      `SELECT client, owner, purpose, ends, ended_by FROM data_keys LEFT JOIN key_management USING (id, version)
        WHERE id = ? AND version = ?`,
      ...[id, version],
    )
    .toArray();
  return row;
}

function end(sql: SqlStorage, key: Version, before: Pick<Row, "ends">, ends: number | null): Decision<null> {
  const now = seconds(Date.now());
  if (before.ends !== null && before.ends <= now) return refuse("conflict", "key is deleted");
  if (ends !== null && ends < now + NOTICE_SECONDS)
    return refuse("conflict", "a deletion takes a day's notice");
  keepEnd(sql, key, ends);
  return ok(null);
}
