/** Enc(data) at the HSM: kept, fetched with its neighbours in one request, looked after, and forgotten. */

import { JwsError } from "#protocol/keys/index.ts";
import { wakeBy } from "../alarm.ts";
import type { Hsm } from "../hsm/index.ts";
import { isGone, keyValueOf, lookAfter, markOf, readKept, sweep } from "../hsm/keys/index.ts";
import {
  edkOf,
  endedVersions,
  forgotten,
  hsmNameOf,
  nameOf,
  type Row,
  type Version,
  versionsOf,
} from "./account-data-keys.ts";
import type { Kept } from "./cache/index.ts";
import type { Context } from "./context.ts";

/** Versions that one request of the HSM fetches: the one that is asked for, and the newest. */
const PREFETCHED = 32;
/** Those that one alarm has the HSM forget. */
const MAX_FORGOTTEN = 20;
const AGAIN_MS = 60_000;

/** What is stored of a key is not what was signed: altered, or another's, here or at the HSM. */
export class StoredKeyRefused extends Error {
  override readonly name = "StoredKeyRefused";
}

/**
 * The version that is asked for, and the account's newest of the app with it (W8), as EDKs by name, each of them verified. Throws what the HSM throws, and
 * `StoredKeyRefused`.
 */
export async function fetchDataKeys(
  { store, hsm, trust }: Pick<Context, "store" | "hsm"> & { trust: Pick<Context["trust"], "verifyEdk"> },
  account: string,
  wanted: Row,
): Promise<Map<string, Kept<string>>> {
  const newest = versionsOf(store.sql, wanted.client, PREFETCHED);
  const rows = [wanted, ...newest.filter((row) => nameOf(row) !== nameOf(wanted))];
  const answers = await hsm.batch(
    rows.flatMap(({ hsm }) => readKept(hsm)),
    { batchErrorContinuationOption: "Continue", batchOrderOption: true },
  );
  const found = new Map<string, Kept<string>>();
  for (const [at, row] of rows.entries()) {
    const got = answers[2 * at];
    // Another's trouble is its own: it is asked for again when it is wanted.
    if (isGone(got) || (at > 0 && got?.resultStatus !== "Success")) continue;
    const edk = edkOf(row, keyValueOf(got));
    const mark = markOf(answers[2 * at + 1]);
    if (edk === null || mark === null) continue;
    if (await isOf(trust, edk, { account, row })) found.set(nameOf(row), { value: edk, mark });
    else if (at === 0) throw new StoredKeyRefused();
  }
  return found;
}

/** Whether it was signed, and as that version of this account. An instance would refuse it: here it is in the audit. */
async function isOf(
  trust: Pick<Context["trust"], "verifyEdk">,
  token: string,
  { account, row }: { account: string; row: Row },
): Promise<boolean> {
  try {
    const edk = await trust.verifyEdk(token);
    return edk.account === account && edk.keyId === row.id && edk.keyVersion === row.version;
  } catch (error) {
    if (error instanceof JwsError) return false;
    throw error;
  }
}

/** As it stands at the HSM now; null where it is gone here or there. */
export async function markDataKey(
  { store, hsm }: Pick<Context, "store" | "hsm">,
  name: string,
): Promise<string | null> {
  const [id = "", version = ""] = name.split(".");
  const [row] = store.sql
    .exec<{ hsm: string }>(
      "SELECT hsm FROM account_data_keys WHERE id = ? AND version = ? AND state = 'kept'",
      ...[id, Number(version)],
    )
    .toArray();
  if (row === undefined) return null;
  const [answer] = await hsm.batch([lookAfter(row.hsm)], { batchErrorContinuationOption: "Continue" });
  return markOf(answer);
}

/** Has the HSM forget the versions that were ended; asks to be woken where that fails. */
export async function forgetEnded(storage: DurableObjectStorage, hsm: Pick<Hsm, "batch">): Promise<void> {
  const { sql } = storage;
  const ended: Version[] = endedVersions(sql, MAX_FORGOTTEN);
  if (ended.length === 0) return;
  // Whatever becomes of this object meanwhile, none of them stays there.
  await wakeBy(storage, Date.now() + AGAIN_MS);
  await sweep(hsm, ended.map(hsmNameOf));
  for (const version of ended) forgotten(sql, version);
}
