/** Metadata of data keys: what the KMS knows of a key that it does not have. */

import type { Edk } from "#protocol/keys/index.ts";
import { isKeyPolicy, type KeyPolicy } from "#protocol/policy/index.ts";
import type { Version } from "./account-data-keys.ts";

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

type Row = Omit<DataKeyRecord, "policy" | "ends"> & { ends: number | null; policy: string };

const FIELDS = "account, client, state, expires, ends, policy";

/** The record of this version of this key, or null when it was never issued (or was deleted). */
export function findDataKey(sql: SqlStorage, id: string, version: number): DataKeyRecord | null {
  const [row] = sql
    .exec<Row>(
      `SELECT ${FIELDS} FROM data_keys LEFT JOIN key_management USING (id, version) WHERE id = ? AND version = ?`,
      id,
      version,
    )
    .toArray();
  return row ? { ...row, policy: policyOf(row) } : null;
}

/** The same of several, in their order, in one statement; a policy that many of them have is read once. */
export function findDataKeys(sql: SqlStorage, keys: readonly Version[]): (DataKeyRecord | null)[] {
  const found: (DataKeyRecord | null)[] = keys.map(() => null);
  const policies = new Map<string, KeyPolicy>();
  const rows = sql.exec<Row & { nth: number }>(
    `SELECT asked.key AS nth, ${FIELDS} FROM json_each(?) AS asked
      JOIN data_keys ON data_keys.id = asked.value ->> 0 AND data_keys.version = asked.value ->> 1
      LEFT JOIN key_management ON key_management.id = data_keys.id AND key_management.version = data_keys.version`,
    JSON.stringify(keys.map(({ id, version }) => [id, version])),
  );
  for (const { nth, ...row } of rows) {
    const policy = policies.get(row.policy) ?? policyOf(row);
    policies.set(row.policy, policy);
    found[nth] = { ...row, policy };
  }
  return found;
}

function policyOf(row: Pick<Row, "policy">): KeyPolicy {
  const policy: unknown = JSON.parse(row.policy);
  if (!isKeyPolicy(policy)) throw new Error("stored policy is not a policy");
  return policy;
}
