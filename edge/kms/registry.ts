/** Metadata of data keys: what the KMS knows of a key that it does not have. */

import type { Edk } from "#protocol/keys/index.ts";
import { isKeyPolicy, type KeyPolicy } from "#protocol/policy/index.ts";

/** In place of an account, of a key of the tenant itself: no account has this name. */
export const NO_ACCOUNT = "";

export type DataKeyRecord = {
  /** `NO_ACCOUNT`: the tenant's own. */
  account: string;
  /** The app that had it made (M13). */
  client: string;
  state: "enabled" | "disabled";
  expires: number | null;
  /** When it is deleted, if that is scheduled; seconds since 1970. */
  ends?: number | null;
  policy: KeyPolicy;
};

/** `client` is the app that asked for them. */
export function insertDataKeys(sql: SqlStorage, client: string, edks: Edk[]): void {
  for (const edk of edks) {
    sql.exec(
      `INSERT INTO data_keys (id, version, account, client, owner, purpose, account_key, account_key_version, created,
        expires, state, policy) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'enabled', ?)`,
      edk.keyId,
      edk.keyVersion,
      edk.account ?? NO_ACCOUNT,
      client,
      edk.owner,
      edk.purpose,
      edk.wrapping === "seed" ? edk.seed.key : (edk.accountKey?.id ?? edk.masterKey),
      edk.accountKey?.version ?? 0,
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
      client: string;
      state: "enabled" | "disabled";
      expires: number | null;
      ends: number | null;
      policy: string;
    }>(
      `SELECT account, client, state, expires, ends, policy FROM data_keys LEFT JOIN key_management USING (id, version)
        WHERE id = ? AND version = ?`,
      id,
      version,
    ),
  ];
  if (!row) return null;
  const policy: unknown = JSON.parse(row.policy);
  if (!isKeyPolicy(policy)) throw new Error("stored policy is not a policy");
  return { ...row, policy };
}
