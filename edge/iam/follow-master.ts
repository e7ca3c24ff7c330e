/** W12: once the officer has replaced the master key, an account's keys go under the new one. */

import { ok, type Result } from "../result.ts";
import { type Store, subjectOf } from "../store.ts";
import { keysNotUnder, moveKey } from "./account-keys.ts";
import type { KeptKeys } from "./kept-keys.ts";
import type { AccountKey } from "./types.ts";

export type MovedKey = Omit<AccountKey, "version">;

/** Under which master key the account's keys are, and how many are not yet. */
export type Followed = { master: string | null; left: number };

interface Kms {
  currentMasterKey(of: { tenant: string }): Promise<Result<string | null>>;
  moveAccountKeys(of: {
    tenant: string;
    account: string;
    requestId: string;
    keys: MovedKey[];
  }): Promise<Result<MovedKey[]>>;
}

/** What cannot move now goes on under the old one, until this is called again. */
export async function followMaster(
  { sql, tenant }: Store,
  { KMS, places }: { KMS: Kms; places: KeptKeys },
  requestId: string,
): Promise<Result<Followed>> {
  const current = await KMS.currentMasterKey({ tenant });
  if (!current.ok) return current;
  const master = current.value;
  if (master === null) return ok({ master, left: keysNotUnder(sql, "").length });
  for (;;) {
    const keys: MovedKey[] = [];
    for (const { version: _, ...key } of keysNotUnder(sql, master)) {
      const whole = await places.whole(key, requestId);
      if (!whole.ok) return whole;
      keys.push(whole.value);
    }
    if (keys.length === 0) return ok({ master, left: 0 });
    const moved = await KMS.moveAccountKeys({ tenant, account: subjectOf(sql), requestId, keys });
    if (!moved.ok) return moved;
    for (const key of moved.value) {
      const put = await places.put(key, requestId);
      if (!put.ok) return put;
      moveKey(sql, put.value);
      const before = keys.find(({ id }) => id === key.id);
      if (before && before.master !== key.master) await places.forget(before, requestId);
    }
    // Another rotation came in between.
    if (moved.value.some((key) => key.master !== master)) return ok({ master, left: keys.length });
  }
}
