/** What the tenant's object tells a principal of its registration as an application server, and what follows from it. */

import { ownAccountId } from "#protocol/principal.ts";
import { authorize } from "../authorize.ts";
import { ok, type Result } from "../result.ts";
import { type Store, subjectOf } from "../store.ts";
import { endFamilies } from "./families.ts";
import { ownRegistration } from "./own-registration.ts";
import type { Registered } from "./registered-clients.ts";
import { isKnown, joinAccount } from "./sign-in.ts";

/**
 * Takes what the tenant's object has told; what came late changes nothing. With another key, and with its removal, ends all that was issued. Who is
 * registered for the first time begins with an account of its own, as a person does.
 */
export async function takeRegistration(
  store: Store,
  { number, client, requestId }: Registered,
  now: number,
): Promise<Result<null>> {
  const principal = subjectOf(store.sql);
  const account = await ownAccountId({ tenant: store.tenant, principal });
  const kept = ownRegistration(store.sql);
  const isNews = client === null ? (kept?.number ?? 0) <= number : (kept?.number ?? 0) < number;
  if (!isNews || (client === null && kept?.jwk === null)) return ok(null);
  const action = client === null ? "iam:client-removed" : "iam:client-registered";
  const about = { action, caller: null, resource: `user/${principal}`, requestId };
  return authorize<null>(store, about, (sql) => {
    const live = sql.exec<{ id: string }>("SELECT id FROM families WHERE revoked IS NULL").toArray();
    endFamilies(
      sql,
      live.map(({ id }) => id),
      now,
    );
    const { app = kept?.app ?? "", jwk = null, key = null } = client ?? {};
    sql.exec(
      "INSERT OR REPLACE INTO own_registration VALUES (1, ?, ?, ?, ?)",
      ...[number, app, jwk && JSON.stringify(jwk), key],
    );
    if (client === null || isKnown(sql)) return ok(null);
    const { name } = client;
    sql.exec("INSERT INTO principal VALUES (?, ?, ?)", principal, name, now);
    joinAccount(sql, { account, name, created: now }, { principal, earlier: false, requestId, app });
    return ok(null);
  });
}
