/** The end of a data key of the tenant itself (M6), for the principal who ordered it: given to nobody from the decision on, and forgotten on its day (M11). */

import { seconds } from "#protocol/clock.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { ok, type Result, refuse } from "../result.ts";
import { nameOf, type Version } from "./account-data-keys.ts";
import { type Door, noMember } from "./context.ts";
import { keepEnd, NOTICE_SECONDS } from "./key-management.ts";
import { checkPolicies, factsOfCaller } from "./policies.ts";

/** Through the door of the caller's own object. `ends`: seconds since 1970; null calls it off. Errors: `forbidden`, `not-found`, `conflict`. */
export async function endOwnKey(
  { neighbours, enter, refuse: turnAway }: Door,
  caller: Caller,
  key: Version,
  ends: number | null,
): Promise<Result<null>> {
  const resource = `key/${nameOf(key)}`;
  const about = { action: "kms:end-own-key", caller, resource, requestId: caller.requestId };
  const signedIn = await neighbours.IAM.signedIn(caller);
  if (!signedIn.ok) return turnAway(about, noMember(signedIn.problem));
  const kms = await enter();
  return authorize<null>(kms.store, about, (sql) => {
    const [row] = sql
      .exec<{ purpose: string; ends: number | null }>(
        `SELECT purpose, ends FROM data_keys LEFT JOIN key_management USING (id, version)
          WHERE id = ? AND version = ? AND client = ? AND owner = ?`,
        ...[key.id, key.version, caller.client, caller.user],
      )
      .toArray();
    if (row === undefined) return refuse("not-found", "no such data key of this app and principal");
    const facts = factsOfCaller(caller, {
      ...{ action: "create", resource: `keys/${key.id}`, account: null },
      ...{ purpose: row.purpose, person: signedIn.value },
    });
    const allowed = checkPolicies(kms.policies(), facts);
    if (!allowed.ok) return allowed;
    const now = seconds(Date.now());
    if (row.ends !== null && row.ends <= now) return refuse("conflict", "key is deleted");
    if (ends !== null && ends < now + NOTICE_SECONDS)
      return refuse("conflict", "a deletion takes a day's notice");
    keepEnd(sql, key, ends);
    return ok(null);
  });
}
