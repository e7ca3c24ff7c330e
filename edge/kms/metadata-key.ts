/**
 * The key under which the names of an account's documents are copied for its list: one an app, of the current account key. The KMS
 * retains it (M11), or the HSM has it (M19): what is kept here is the reference to it, without any key.
 */

import { jwsParts } from "#protocol/jws.ts";
import type { AccountEdk } from "#protocol/keys/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { ok, type Result } from "../result.ts";
import type { Version } from "./account-data-keys.ts";
import { type Door, type InTurn, noMember } from "./context.ts";
import { issueDataKeys } from "./issue.ts";
import type { DataKeyQuota } from "./quota.ts";
import { checkLives } from "./shred.ts";

/** A part of the migrations of an account's object. */
export const METADATA_KEYS_TABLE = `
  CREATE TABLE metadata_keys (
    client TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- The account key that it is under.
    account_key TEXT NOT NULL,
    account_key_version INTEGER NOT NULL,
    -- The reference: an EDK without a wrapped key.
    edk TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/** The current one, made where there is none; in turn, so that two tabs make one key. */
export async function metadataKey(
  door: Door,
  quota: DataKeyQuota,
  caller: Caller,
  account: string,
  inTurn: InTurn,
): Promise<Result<{ edk: string }>> {
  const { tenant, client, requestId } = caller;
  const about = { action: "kms:metadata-key", caller, resource: `account/${account}`, requestId };
  const accountKey = await door.neighbours.IAM.accountKey({ tenant, account, caller });
  if (!accountKey.ok) return door.refuse(about, noMember(accountKey.problem));
  const { store } = await door.enter();
  const current = () =>
    authorize<string | null>(store, about, (sql) => {
      const lives = checkLives(sql);
      return lives.ok ? ok(readCurrent(sql, client, accountKey.value)) : lives;
    });
  const found = current();
  if (!found.ok) return found;
  if (found.value !== null) return ok({ edk: found.value });
  return inTurn(async () => {
    const again = current();
    if (!again.ok) return again;
    if (again.value !== null) return ok({ edk: again.value });
    const order = { account, count: 1, purpose: "metadata", custody: "kms" } as const;
    const made = await issueDataKeys(door, quota, caller, order);
    if (!made.ok) return made;
    const [edk = ""] = made.value.edks;
    return authorize<{ edk: string }>(store, about, (sql) => {
      const lives = checkLives(sql);
      if (!lives.ok) return lives;
      keepCurrent(sql, edk);
      return ok({ edk });
    });
  });
}

/** Of the current account key, and given out: one that is disabled or will be deleted has a successor. */
function readCurrent(sql: SqlStorage, client: string, { id, version }: Version): string | null {
  const [kept] = sql
    .exec<{ edk: string }>(
      `SELECT edk FROM metadata_keys JOIN data_keys USING (id, version, client, account_key, account_key_version)
        LEFT JOIN key_management USING (id, version)
        WHERE client = ? AND account_key = ? AND account_key_version = ? AND state = 'enabled' AND ends IS NULL`,
      ...[client, id, version],
    )
    .toArray();
  return kept?.edk ?? null;
}

/** `edk`: that the KMS has just signed. */
function keepCurrent(sql: SqlStorage, edk: string): void {
  const { keyId, keyVersion } = JSON.parse(new TextDecoder().decode(jwsParts(edk).payload)) as AccountEdk;
  sql.exec(
    // One that lives in the HSM (M19) is not retained: its EDK is the reference.
    `INSERT OR REPLACE INTO metadata_keys
      SELECT client, id, version, account_key, account_key_version, ? FROM data_keys
        LEFT JOIN retained_keys USING (id, version, client) WHERE id = ? AND version = ? AND (edk IS NULL OR edk = ?)`,
    ...[edk, keyId, keyVersion, edk],
  );
}
