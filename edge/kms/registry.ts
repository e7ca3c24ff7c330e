/** Metadata of data keys: what the KMS knows of a key that it does not have. */

import type { Edk } from "#protocol/keys/index.ts";
import { isKeyPolicy, type KeyPolicy } from "#protocol/policy/index.ts";

export type DataKeyRecord = {
  account: string;
  state: "enabled" | "disabled";
  expires: number | null;
  policy: KeyPolicy;
};

export function insertDataKeys(sql: SqlStorage, edks: Edk[]): void {
  for (const edk of edks) {
    sql.exec(
      `INSERT INTO data_keys (id, version, account, owner, purpose, account_key, account_key_version, created, expires,
        state, policy) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'enabled', ?)`,
      edk.keyId,
      edk.keyVersion,
      edk.account,
      edk.owner,
      edk.purpose,
      edk.accountKey.id,
      edk.accountKey.version,
      edk.created,
      edk.expires ?? null,
      JSON.stringify(edk.policy),
    );
  }
}

/** The record of this version of this key, or null when it was never issued (or was deleted). */
export function findDataKey(sql: SqlStorage, id: string, version: number): DataKeyRecord | null {
  const [row] = [
    ...sql.exec<{
      account: string;
      state: "enabled" | "disabled";
      expires: number | null;
      policy: string;
    }>("SELECT account, state, expires, policy FROM data_keys WHERE id = ? AND version = ?", id, version),
  ];
  if (!row) return null;
  const policy: unknown = JSON.parse(row.policy);
  if (!isKeyPolicy(policy)) throw new Error("stored policy is not a policy");
  return { account: row.account, state: row.state, expires: row.expires, policy };
}
