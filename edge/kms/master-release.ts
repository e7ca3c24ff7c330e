/** Level `master`: the tenant's master key encrypted to an instance's wrapping key, with the receipt that vouches for it (W6, W9). */

import { encodeBase64url } from "#protocol/base64url.ts";
import { concat } from "#protocol/bytes.ts";
import type { AnswerOf, loadMasterKey, MasterKeyRequest } from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import { instancesMasterKeyName } from "#protocol/hierarchy/index.ts";
import {
  appKeyChannel,
  type ChannelOf,
  channelDigest,
  channelInfo,
  type MasterReceipt,
} from "#protocol/keys/index.ts";
import type { Level } from "#protocol/level.ts";
import { authorize } from "../authorize.ts";
import type { InstanceCaller } from "../caller.ts";
import type { Enrolled } from "../enrolled.ts";
import { sealOverChannel } from "../hsm/keys/index.ts";
import type { Person } from "../person.ts";
import { ok, type Result, refuse } from "../result.ts";
import { type AppKey, appKeyFor, endAppKey } from "./app-key.ts";
import { type Context, failed } from "./context.ts";
import { masterVersion } from "./master-key.ts";
import type { MasterReceipts, Said } from "./master-receipts.ts";
import { checkPolicies, factsOfCaller } from "./policies.ts";
import { signReceipt } from "./signing.ts";
import { askStanding, authorizeInstance, itself } from "./standing.ts";

export type Released = AnswerOf<typeof loadMasterKey>;

/**
 * Enc(master) for one instance: `keyId` is the master key's identifier at the HSM. Of a pair `wrappedKey` is the key that `privateKey`,
 * the private half, is encrypted under.
 */
export type EncryptedMaster = {
  keyId: string;
  wrappedKey: Uint8Array<ArrayBuffer>;
  privateKey?: Uint8Array<ArrayBuffer>;
  /** Id of the symmetric app-specific key that it stands under; none where it is encrypted to the wrapping key. */
  appKey?: string;
};

/** Of a symmetric key under AES Key Wrap. */
const WRAPPED_LENGTH = 40;
const LEVELS: readonly Level[] = ["master"];

/**
 * `encrypted` gives Enc(master) for the instance, from wherever it is kept: of the current master key, or of the earlier one with this
 * id, null where it is none; `receipts` are those of what is kept. Errors: `not-found`.
 */
export async function releaseMasterKey(
  kms: Context,
  caller: InstanceCaller,
  { challenge, id, appKey: asked }: MasterKeyRequest,
  encrypted: (enrolled: Enrolled, id?: string, appKey?: AppKey) => Promise<EncryptedMaster | null>,
  receipts: MasterReceipts,
): Promise<Result<Released>> {
  const { store, hsm, trust, neighbours } = kms;
  const { requestId } = caller;
  const about = { caller, resource: instancesMasterKeyName(caller.instance), requestId };
  const standing = await askStanding(neighbours, caller);
  const asking = { action: "kms:master-key", ...about };
  const allowed = (sql: SqlStorage, enrolled: Enrolled, person: Person) => {
    const of = { action: "release", resource: "master", account: null, wrapping: "RSA-OAEP" } as const;
    const facts = factsOfCaller(caller, { ...of, instance: enrolled, person });
    const decision = checkPolicies(kms.policies(), facts);
    return decision.ok ? itself(sql, enrolled) : decision;
  };
  const decision = authorizeInstance(store, asking, standing, LEVELS, allowed);
  if (!decision.ok) return decision;
  const releasing = { action: "kms:release-master-key", ...about };
  const { wrappingCertificate: recipient, notAfter, secondLayer, appKeys } = decision.value;
  if (appKeys === "AES-256" && asked === undefined)
    return authorize<never>(store, releasing, () => refuse("bad-request", "asked without a channel's share"));
  /** Made, and not given yet: what comes to nothing leaves nothing. */
  let made: string | undefined;
  try {
    const appKey = appKeys === "AES-256" && asked ? await appKeyFor(kms, decision.value, asked) : undefined;
    if (appKey?.made) made = appKey.id;
    const master = await encrypted(decision.value, id, appKey);
    if (master === null) {
      const none = () => refuse("not-found", "no master key of the tenant");
      return authorize<never>(store, releasing, none);
    }
    const { keyId, wrappedKey, privateKey } = master;
    const isPair = privateKey !== undefined || (appKey !== undefined && wrappedKey.length > WRAPPED_LENGTH);
    if (isPair && id === undefined && secondLayer !== undefined) {
      const none = () =>
        refuse("hsm-refused", "a second layer comes from a symmetric master key, and this is a pair");
      return authorize<never>(store, releasing, none);
    }
    const channel = asked && appKeyChannel({ challenge, share: asked.share, recipient });
    const sealed = channel && appKey?.made && (await sealAppKey(kms, channel, appKey.made));
    const said: Said = {
      version: 1,
      kind: "master",
      wrappedKeyDigest: await digest(privateKey ? concat(wrappedKey, privateKey) : wrappedKey),
      keyId,
      keyVersion: await masterVersion(hsm, keyId),
      recipient,
      tenant: store.tenant,
      ...(id === undefined && secondLayer !== undefined && { secondLayer }),
      ...(appKey && {
        appKey: {
          ...{ id: appKey.id, digest: appKey.digest },
          ...(channel && sealed && { channel: await channelDigest(channel, sealed.share) }),
        },
      }),
    };
    const sign = async (receipt: MasterReceipt) => signReceipt(hsm, await trust.list(), receipt);
    const vouched = await receipts.answer(master, said, { challenge, notAfter }, sign);
    // While the HSM worked the instance may have been revoked, or its custodian have signed out.
    const again = await askStanding(neighbours, caller);
    const released = authorizeInstance(store, releasing, again, LEVELS, allowed);
    if (!released.ok) return released;
    made = undefined;
    return ok({
      wrappedKey: encodeBase64url(wrappedKey),
      ...vouched,
      ...(privateKey && { privateKey: encodeBase64url(privateKey) }),
      ...(sealed && { appKey: sealed }),
    });
  } catch (error) {
    return failed(kms, "kms:master-key-at-hsm", about, error);
  } finally {
    if (made !== undefined) await endAppKey(kms, made);
  }
}

/** A symmetric app-specific key on its way to the instance, to whose wrapping key it is encrypted already. */
async function sealAppKey({ hsm, ledger }: Context, channel: ChannelOf, made: Uint8Array<ArrayBuffer>) {
  const of = { share: channel.share, info: await channelInfo(channel), data: made };
  return sealOverChannel(hsm, ledger, of, Date.now());
}
