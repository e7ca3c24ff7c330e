/** The end of a version of a data key (W10): refused from here on; the HSM forgets Enc(data) afterwards. */

import { authorize } from "../authorize.ts";
import { ok, type Result, refuse } from "../result.ts";
import { subjectOf } from "../store.ts";
import { endVersion, nameOf, type Version } from "./account-data-keys.ts";
import type { Context } from "./context.ts";

/** Asked for again, it is the same. */
export function endDataKey(
  { store }: Pick<Context, "store">,
  { client, key, requestId }: { client: string; key: Version; requestId: string },
): Result<null> {
  const resource = `account/${subjectOf(store.sql)}/${nameOf(key)}`;
  const about = { action: "kms:delete-data-key", caller: null, resource, requestId };
  return authorize<null>(store, about, (sql) => {
    const [row] = sql
      .exec<{ client: string; state: string }>(
        "SELECT client, state FROM account_data_keys WHERE id = ? AND version = ?",
        ...[key.id, key.version],
      )
      .toArray();
    if (row === undefined || row.client !== client) return refuse("not-found", "no such data key");
    if (row.state === "kept") endVersion(sql, key);
    sql.exec("DELETE FROM data_keys WHERE id = ? AND version = ?", key.id, key.version);
    return ok(null);
  });
}
