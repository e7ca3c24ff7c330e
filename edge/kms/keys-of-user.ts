/**
 * Data keys of the tenant itself that a principal has ordered (M6), for admins, who were asked for before: what is known of them, and changes that who has
 * ordered them does not change back.
 */

import type { DescribedUserKey, KeyChange, ListKeysQuery, UserKeys } from "#protocol/contract/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { ok, type Result, refuse } from "../result.ts";
import type { Store } from "../store.ts";
import { nameOf, type Version } from "./account-data-keys.ts";
import { adminsOf, described, find, keep, type Managed, pageOf, put } from "./key-management.ts";

/** In the object of who ordered them, of all apps. */
export function keysOfUser(
  store: Store,
  caller: Caller,
  user: string,
  query: ListKeysQuery,
): Result<UserKeys> {
  return authorize(store, aboutKeys(caller, user), (sql) => {
    const { rows, more } = pageOf(sql, null, query);
    return ok({ keys: rows.map(ofUser), more });
  });
}

/** Of a user who has ordered none, recorded in the object of the admin who asks. */
export function noKeysOfUser(store: Store, caller: Caller, user: string): Result<UserKeys> {
  return authorize<UserKeys>(store, aboutKeys(caller, user), () => ok({ keys: [], more: false }));
}

function aboutKeys(caller: Caller, user: string) {
  const { requestId } = caller;
  return { action: "kms:list-keys-of-user", caller, resource: `user/${user}/keys`, requestId };
}

export function describeKeyOfUser(store: Store, caller: Caller, key: Version): Result<DescribedUserKey> {
  return authorize<DescribedUserKey>(store, aboutKey("kms:describe-key-of-user", caller, key), (sql) => {
    const found = find(sql, key);
    return found.ok ? ok(ofUser(found.value)) : found;
  });
}

/** Of its end and its state an admin changes nothing that who ordered the key has decided. Errors: `not-found`, `conflict`. */
export function changeKeyOfUser(
  store: Store,
  caller: Caller,
  key: Version,
  change: KeyChange,
): Result<DescribedUserKey> {
  return authorize<DescribedUserKey>(store, aboutKey("kms:change-key-of-user", caller, key), (sql) => {
    const before = find(sql, key);
    if (!before.ok) return before;
    const { ends, state } = change;
    const { ended_by, disabled_by } = adminsOf(sql, key);
    // A decision that an admin took over could be called off as an admin's.
    if (ends !== undefined && before.value.ends !== null && ended_by === null)
      return refuse("conflict", "who ordered the key has decided on its end");
    if (state !== undefined && before.value.state === "disabled" && disabled_by === null)
      return refuse("conflict", "who ordered the key has disabled it");
    const changed = put(sql, before.value, change);
    if (!changed.ok) return changed;
    if (ends !== undefined) keep(sql, key, "ended_by", ends === null ? null : caller.user);
    if (state !== undefined) keep(sql, key, "disabled_by", state === "enabled" ? null : caller.user);
    return ok(ofUser(changed.value));
  });
}

export function aboutKey(action: string, caller: Caller, key: Version) {
  return { action, caller, resource: `key/${nameOf(key)}`, requestId: caller.requestId };
}

function ofUser(row: Managed): DescribedUserKey {
  const { client, standing: state } = row;
  return { ...described(row), client, state };
}
