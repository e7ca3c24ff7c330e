/**
 * Sharing of a document with another account of the tenant: its data key, and no other, goes under that account's key within the HSM, and the record
 * of it is signed for this document, account and time. Whether it stands is asked again at each release (`shares.ts`).
 */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import type { SharedWith, ShareMade, ShareRequest } from "#protocol/contract/index.ts";
import { type AccountEdk, DOCUMENT_ALGORITHM, type Edk, type KeyRecord } from "#protocol/keys/index.ts";
import { narrow } from "#protocol/policy/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import type { ReceivingKey } from "../iam/types.ts";
import { takeTurn } from "../pace.ts";
import type { Member } from "../person.ts";
import { type Decision, ok, type Result, refuse } from "../result.ts";
import { type About, type Context, type Door, failedUnderMaster, noMember } from "./context.ts";
import { wrappingUnder } from "./data-keys.ts";
import { findVersion } from "./document-versions.ts";
import { checkKey, type Item, isUnder } from "./loading/index.ts";
import { rewrapToAccount } from "./loading/rewrap-batch.ts";
import { checkPolicies, factsOfCaller } from "./policies.ts";
import { findDataKey } from "./registry.ts";
import { checkRoomForShare, endShare, listShares, placeOf, putShare, type Share } from "./shares.ts";
import { checkLives } from "./shred.ts";
import { signEdks } from "./signing.ts";

/** Of one user. */
const SHARES_PER_MINUTE = 120;
const DAY = 24 * 3600;
/** How long a share stands unless it is said, and at most. Seconds. */
const DEFAULT_LIFE = 90 * DAY;
const LONGEST_LIFE = 366 * DAY;

type Asked = { account: string; item: Item } & Omit<ShareRequest, "edk">;
/** What is shared, as it stands now. */
type Shared = {
  record: Omit<KeyRecord, "account" | "name">;
  expires: number;
  place: ReturnType<typeof placeOf>;
};

/**
 * Errors: `forbidden`; `not-found` for an account or a document that is not there; `conflict` for a document that is not in the version index as a
 * whole; `key-unusable` for one whose key is not its own; `quota-exceeded`, `too-many-requests`, those of the HSM.
 */
export async function shareDocument(
  door: Door,
  caller: Caller,
  { account, item, ...request }: Asked,
): Promise<Result<ShareMade>> {
  const { IAM } = door.neighbours;
  const { tenant, requestId } = caller;
  const { edk } = item;
  const resource = `account/${account}/document/${request.document}`;
  const about = { caller, resource, requestId };
  const id = edk.accountKey && { id: edk.accountKey.id };
  const accountKey = await IAM.accountKey({ tenant, account, caller, ...id });
  if (!accountKey.ok) return door.refuse({ action: "kms:share", ...about }, noMember(accountKey.problem));
  const kms = await door.enter();
  const of = { account, edk, request, about };
  const decision = authorize(kms.store, { action: "kms:share", ...about }, (sql) => {
    const { by: person } = accountKey.value;
    const turn = takeTurn(
      sql,
      { what: "kms:share", user: caller.user },
      SHARES_PER_MINUTE,
      Date.now() / 1000,
    );
    if (!turn.ok) return turn;
    if (!isUnder(edk, accountKey.value)) return refuse("conflict", "EDK is under another account key");
    return checkShare(sql, kms, of, person);
  });
  if (!decision.ok) return decision;
  const shared = decision.value;
  // It records what it is asked, and may make a key: of nobody who may not share this document.
  const receiving = await IAM.receivingKey({ tenant, account: request.to, from: account, caller });
  if (!receiving.ok)
    return authorize<never>(kms.store, { action: "kms:release-share", ...about }, () =>
      refuse(receiving.problem.code, "no such account to share with"),
    );
  const to = receiving.value;
  try {
    const key = { under: accountKey.value, wrappedDataKey: decodeBase64url(edk.wrappedKey) };
    const wrappedKey = await rewrapToAccount(kms.hsm, kms.ledger, { ...key, to: to.key }, Date.now());
    const made = recordOf(of, shared, to, wrappedKey);
    const [record] = await signEdks(kms.hsm, await kms.trust.list(), [made]);
    if (record === undefined) throw new Error("nothing was signed");
    // While the HSM worked the user may have left, the document been deleted, its key been disabled, the other account have ended.
    const [member, still] = await Promise.all([
      IAM.member({ tenant, account, caller }),
      IAM.receivingKey({ tenant, account: request.to, from: account, caller }),
    ]);
    return authorize<ShareMade>(kms.store, { action: "kms:release-share", ...about }, (sql) => {
      if (!member.ok) return noMember(member.problem);
      if (!still.ok) return refuse(still.problem.code, "the other account has ended");
      const again = checkShare(sql, kms, of, member.value);
      if (!again.ok) return again;
      if (again.value.record.headerDigest !== shared.record.headerDigest)
        return refuse("conflict", "the document was changed");
      if (again.value.place !== shared.place)
        return refuse("conflict", "a newer version follows the document");
      putShare(sql, { ...shareOf(of, shared.expires, to.name), id: made.keyId });
      const { expires } = shared;
      return ok({ share: made.keyId, record, expires, to: { account: request.to, name: to.name } });
    });
  } catch (error) {
    return await failedUnderMaster(kms, "kms:share-at-hsm", about, error);
  }
}

type Of = { account: string; edk: Edk; request: Omit<Asked, "account" | "item">; about: About };

/** Whether the caller may share this document, by this key. Inside `authorize()`. */
function checkShare(
  sql: SqlStorage,
  { policies, backEnd }: Pick<Context, "policies" | "backEnd">,
  { account, edk, request, about: { caller } }: Of,
  person: Member,
): Decision<Shared> {
  const now = seconds(Date.now());
  const { document, to } = request;
  const lives = checkLives(sql);
  if (!lives.ok) return lives;
  if (person.as === "reader") return refuse("forbidden", "a reader shares nothing");
  if (to === account) return refuse("conflict", "the account has it already");
  const expires = Math.min(request.expires ?? now + DEFAULT_LIFE, edk.expires ?? Number.MAX_SAFE_INTEGER);
  if (!(now < expires && expires <= now + LONGEST_LIFE))
    return refuse("conflict", "not a time that a share can stand");
  const found = checkKey(caller, { edk, record: findDataKey(sql, edk.keyId, edk.keyVersion), now });
  if (!found.ok) return found;
  if (!isOfOneDocument(sql, edk) || !backEnd.inHsm)
    return refuse("key-unusable", "not the key of one document, encrypted under its account's key");
  const purpose = edk.purpose;
  const resource = `accounts/${account}/keys/${edk.keyId}`;
  const facts = factsOfCaller(caller, { action: "share", resource, account, purpose, person });
  const allowed = checkPolicies(policies(), facts);
  if (!allowed.ok) return allowed;
  const row = findVersion(sql, caller.client, document);
  if (!row || row.deleted) return refuse("not-found", "no such document in the version index");
  const { messageId, headerDigest, metadataDigest } = row;
  if (messageId === undefined || headerDigest === undefined)
    return refuse("conflict", "the version index does not say which message it is");
  const room = checkRoomForShare(sql, shareOf({ account, edk, request, about: { caller } }, expires, ""));
  if (!room.ok) return room;
  return ok({
    record: { document, messageId, headerDigest, ...(metadataDigest && { metadataDigest }) },
    expires,
    place: placeOf(sql, caller.client, document),
  });
}

/** Never the key of a whole account, of names in its list, or one that was shared by another account. */
function isOfOneDocument(sql: SqlStorage, edk: Edk): boolean {
  const { record, purpose, algorithm, wrapping, layer, keyId, policy } = edk;
  const wide = sql.exec("SELECT 1 FROM account_data_keys WHERE id = ? LIMIT 1", keyId).toArray().length > 0;
  const kind = purpose === "document" && algorithm === DOCUMENT_ALGORITHM && !layer;
  if (!policy.operations.includes("decrypt")) return false;
  return !record && kind && (wrapping === "A256KW" || wrapping === "RSA-OAEP-256") && !wide;
}

function shareOf(
  { edk, request, about: { caller } }: Omit<Of, "about"> & { about: Pick<About, "caller"> },
  expires: number,
  name: string,
): Omit<Share, "id"> {
  const key = { id: edk.keyId, version: edk.keyVersion };
  const { document, to: account } = request;
  const { client, user: by } = caller;
  return { client, document, key, account, name, by, created: seconds(Date.now()), expires };
}

function recordOf(
  { account, edk, request, about: { caller } }: Of,
  { record, expires }: Shared,
  { key, from }: ReceivingKey,
  wrappedKey: Uint8Array<ArrayBuffer>,
): AccountEdk {
  return {
    version: 1,
    keyId: crypto.randomUUID(),
    keyVersion: 1,
    algorithm: DOCUMENT_ALGORITHM,
    tenant: caller.tenant,
    account: request.to,
    owner: caller.user,
    created: seconds(Date.now()),
    expires,
    purpose: "document",
    accountKey: { id: key.id, version: key.version },
    wrapping: wrappingUnder(key),
    wrappedKey: encodeBase64url(wrappedKey),
    // Whom the key does not serve in its own account it serves in no other.
    policy: narrow(edk.policy, { operations: ["decrypt"] }),
    record: { account, name: from, ...record },
  };
}

/** Whom documents of the account are shared with. */
export async function sharesOf(
  door: Door,
  caller: Caller,
  { account, document }: { account: string; document: string | undefined },
): Promise<Result<{ shares: SharedWith[] }>> {
  const about = aboutShares("kms:shares", caller, account);
  const member = await door.neighbours.IAM.member({ tenant: caller.tenant, account, caller });
  if (!member.ok) return door.refuse(about, noMember(member.problem));
  const { store } = await door.enter();
  return authorize(store, about, (sql) => {
    const lives = checkLives(sql);
    return lives.ok ? ok({ shares: listShares(sql, caller.client, document, seconds(Date.now())) }) : lives;
  });
}

/** From now on nobody loads the key by it. One that has ended already has ended. */
export async function withdrawShare(
  door: Door,
  caller: Caller,
  { account, share }: { account: string; share: string },
): Promise<Result<null>> {
  const about = aboutShares("kms:withdraw-share", caller, account, `/share/${share}`);
  const member = await door.neighbours.IAM.member({ tenant: caller.tenant, account, caller });
  if (!member.ok) return door.refuse(about, noMember(member.problem));
  const { store } = await door.enter();
  return authorize<null>(store, about, (sql) => {
    if (member.value.as === "reader") return refuse("forbidden", "a reader changes nothing");
    endShare(sql, caller.client, share);
    return ok(null);
  });
}

function aboutShares(action: string, caller: Caller, account: string, what = "/shares") {
  return { action, caller, resource: `account/${account}${what}`, requestId: caller.requestId };
}
