/** New data keys for an account (M6), as EDKs: quota, the keys from the HSM, their metadata, signed and registered. */

import { encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import type { DataKeysRequest } from "#protocol/contract/index.ts";
import type { Edk } from "#protocol/keys/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { ok, type Result, refuse } from "../result.ts";
import { type About, type Context, failed } from "./context.ts";
import { makeDataKeys } from "./data-keys.ts";
import type { DataKeyQuota } from "./quota.ts";
import { insertDataKeys } from "./registry.ts";
import { signEdks } from "./signing.ts";

/** What a new document key allows. */
const DOCUMENT_POLICY = { operations: ["encrypt", "decrypt"] } satisfies Edk["policy"];

export async function issueDataKeys(
  kms: Context,
  quota: DataKeyQuota,
  caller: Caller,
  request: DataKeysRequest,
): Promise<Result<{ edks: string[] }>> {
  const { account, count } = request;
  const about = { caller, resource: `account/${account}`, requestId: caller.requestId };
  const decision = authorize(kms.store, { action: "kms:data-keys", ...about }, (sql) =>
    caller.accounts.includes(account)
      ? quota.reserve(sql, account, count, seconds(Date.now()))
      : refuse("forbidden", "account of others"),
  );
  if (!decision.ok) return decision;
  try {
    return await make(kms, request, about);
  } finally {
    quota.done(account, count);
  }
}

async function make(
  kms: Context,
  { account, count, purpose }: DataKeysRequest,
  about: About,
): Promise<Result<{ edks: string[] }>> {
  const { caller } = about;
  const { tenant } = caller;
  const accountKey = await kms.neighbours.IAM.accountKey({ tenant, account, caller });
  if (!accountKey.ok) return accountKey;
  try {
    const now = Date.now();
    const wrapped = await makeDataKeys(kms.hsm, kms.ledger, accountKey.value, count, now);
    const { id, version } = accountKey.value;
    const edks = wrapped.map((key): Edk => {
      return {
        version: 1,
        keyId: crypto.randomUUID(),
        keyVersion: 1,
        algorithm: "AES-256-GCM-HKDF-SHA512-COMMIT-KEY",
        tenant,
        account,
        owner: caller.user,
        created: seconds(now),
        purpose,
        accountKey: { id, version },
        wrapping: "A256KW",
        wrappedKey: encodeBase64url(key),
        policy: DOCUMENT_POLICY,
      };
    });
    const signed = await signEdks(kms.hsm, await kms.trust.list(), edks);
    // Before they leave: an EDK without a record would be refused for ever.
    kms.store.transaction(() => insertDataKeys(kms.store.sql, caller.client, edks));
    return ok({ edks: signed });
  } catch (error) {
    return failed(kms, "kms:make-data-keys", about, error);
  }
}
