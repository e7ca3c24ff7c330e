/** An instance presents its grant (M7): used up first, then looked at; the keys pass over a channel from the HSM. */

import { decodeBase64url } from "#protocol/base64url.ts";
import { concat } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import {
  type ChannelOf,
  channelDigest,
  channelInfo,
  edksDigest,
  type Presentation,
  type Presented,
  presentationInput,
} from "#protocol/keys/index.ts";
import { parseCertificate } from "#protocol/pki/index.ts";
import { authorize } from "../../authorize.ts";
import { sealOverChannel } from "../../hsm/keys/index.ts";
import { type Decision, ok, type Result, refuse } from "../../result.ts";
import { hashSecret } from "../../secret.ts";
import { type Context, failedUnderMaster, type Neighbours } from "../context.ts";
import { useGrant } from "./grants.ts";
import {
  askForSeveral,
  askUnders,
  authorizeSeveral,
  type Item,
  rewrapSeveral,
  type Several,
  severalOf,
} from "./several.ts";

/** `kms`: of the account, or of the principal, that the verified EDKs name. */
export async function presentGrant(
  kms: Context,
  presentation: Presentation,
  items: readonly Item[],
  requestId: string,
): Promise<Result<Presented>> {
  const { neighbours } = kms;
  const how = { action: "kms:present", signedOf: presentationInput };
  const accepted = await acceptPresentation(kms, how, presentation, items, requestId);
  if (!accepted.ok) return accepted;
  const { several, channel } = accepted.value;
  const [standing, unders] = await Promise.all([
    askForSeveral(neighbours, several),
    askUnders(neighbours, several),
  ]);
  const decision = authorizeSeveral(kms, "kms:load-by-grant", several, standing);
  if (!decision.ok) return decision;
  if (!unders.ok) return unders;
  try {
    const rewrapped = await rewrapSeveral(kms, several, decision.value, unders.value);
    const { share } = presentation;
    const of = { share, info: await channelInfo(channel), data: concat(...rewrapped.wrapped) };
    const sealed = await sealOverChannel(kms.hsm, kms.ledger, of, Date.now());
    const loads = await rewrapped.sign(await channelDigest(channel, sealed.share));
    // While the HSM worked the instance may have been revoked, the custodian have signed out or left, a key been disabled.
    const again = await askForSeveral(neighbours, several);
    const released = authorizeSeveral(kms, "kms:release", several, again);
    if (!released.ok) return released;
    return ok({ ...sealed, receipts: loads.map(({ receipt }) => receipt) });
  } catch (error) {
    return await failedUnderMaster(kms, "kms:channel-at-hsm", several.about, error);
  }
}

/**
 * Uses the grant up, and checks then who presents it. `several`: the keys for the instance as it is now; `channel`: what theirs is bound to.
 * `signedOf`: what the proof is over. Errors: `invalid-grant`, `not-recipient`.
 */
export async function acceptPresentation(
  { store, neighbours }: Pick<Context, "store" | "neighbours">,
  { action, signedOf }: { action: string; signedOf: SignedOf },
  presentation: Presentation,
  items: readonly Item[],
  requestId: string,
): Promise<Result<{ several: Several; channel: ChannelOf }>> {
  const edks = items.map(({ token }) => token);
  const presented = { hash: await hashSecret(presentation.grant), edks: await edksDigest(edks) };
  const about = { action, caller: null, resource: "grant", requestId };
  const used = authorize(store, about, (sql) => useGrant(sql, presented, seconds(Date.now())));
  if (!used.ok) return used;
  const named = await severalOf({ ...used.value.caller, requestId }, items, used.value.recipient);
  const holder = await checkHolder(neighbours, named, presentation, edks, signedOf);
  if (!holder.ok) return authorize<never>(store, { action, ...named.about }, () => holder);
  const { recipient } = holder.value;
  return ok({
    several: { ...named, thumbprint: recipient },
    channel: { ...presentation, edks, recipient },
  });
}

type SignedOf = typeof presentationInput;
const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/**
 * Whether who presents holds the identity key of the instance that the grant is for, and by which wrapping certificate (SHA-256) it is the recipient: it
 * may have been renewed since the grant was issued, with the same keys. `signedOf`: what the proof is over.
 */
async function checkHolder(
  { RA }: Neighbours,
  { thumbprint, about: { caller } }: Several,
  presentation: Presentation,
  edks: string[],
  signedOf: SignedOf,
): Promise<Decision<{ recipient: string }>> {
  const { identityCertificate, proof } = presentation;
  const { tenant, user } = caller;
  const recipient = await RA.recipient({ tenant, user, thumbprint });
  if (!recipient.ok) return refuse(recipient.problem.code, "the grant's instance is not registered");
  const { instance } = recipient.value;
  const der = decodeBase64url(identityCertificate);
  const found = await RA.instance({ tenant, user, instance, identityCertificate: await digest(der) });
  if (!found.ok) return refuse(found.problem.code, "presented by another instance");
  const shown = { ...presentation, edks, recipient: found.value.wrappingCertificate };
  const isHeld = await verify(der, proof, await signedOf(shown)).catch(() => false);
  return isHeld
    ? ok({ recipient: shown.recipient })
    : refuse("not-recipient", "no proof of the instance's identity key");
}

async function verify(
  der: Uint8Array<ArrayBuffer>,
  proof: string,
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const { spki } = parseCertificate(der);
  const key = await crypto.subtle.importKey("spki", spki, ECDSA, false, ["verify"]);
  return crypto.subtle.verify(ECDSA, key, decodeBase64url(proof), signed);
}
