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

/** What cannot move now stays under the old one, until this is called again. */
export async function followMaster(
  { sql, tenant }: Store,
  { KMS, places }: { KMS: Kms; places: Pick<KeptKeys, "whole" | "put" | "forget"> },
  requestId: string,
): Promise<Result<Followed>> {
  const current = await KMS.currentMasterKey({ tenant });
  if (!current.ok) return current;
  const master = current.value;
  if (master === null) return ok({ master, left: keysNotUnder(sql, "").length });
  let left = 0;
  let below: number | undefined;
  for (;;) {
    const rows = keysNotUnder(sql, master, below);
    below = rows.at(-1)?.version;
    if (below === undefined) return ok({ master, left });
    left += rows.length;
    const keys: MovedKey[] = [];
    for (const { version: _, ...key } of rows) {
      const whole = await places.whole(key, requestId);
      if (whole.ok) keys.push(whole.value);
      else if (whole.problem.code !== "not-found") return whole;
    }
    if (keys.length === 0) continue;
    const moved = await KMS.moveAccountKeys({ tenant, account: subjectOf(sql), requestId, keys });
    // Those that the HSM does not move keep no others from it.
    if (!moved.ok && moved.problem.code === "hsm-refused") continue;
    if (!moved.ok) return moved;
    for (const key of moved.value) {
      const put = await places.put(key, requestId);
      if (!put.ok) return put;
      // While the KMS was waited for the account may have been shredded: what was put somewhere since then goes.
      if (!moveKey(sql, put.value)) {
        await places.forget(key, requestId);
        continue;
      }
      const before = keys.find(({ id }) => id === key.id);
      if (before && before.master !== key.master) await places.forget(before, requestId);
    }
    // Another rotation came in between.
    if (moved.value.some((key) => key.master !== master)) return ok({ master, left });
    left -= moved.value.length;
  }
}
