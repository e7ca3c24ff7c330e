/**
 * A seed arrives over its channel (M9): the HSM opens it, derives the keys and wraps them to the instance. Decided again before, since what
 * the grant was given for may have ended, and after, as in every way of loading.
 */

import { decodeBase64url } from "#protocol/base64url.ts";
import { concat } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import {
  channelInfoOf,
  edksDigest,
  type Presented,
  type SealedSeed,
  seedChannelInfo,
} from "#protocol/keys/index.ts";
import { authorize } from "../../authorize.ts";
import { UnexpectedAnswer } from "../../hsm/index.ts";
import { deriveFromSeed, endAgreement, sealOverChannel } from "../../hsm/keys/index.ts";
import { ok, type Result, turnAway } from "../../result.ts";
import { type Context, failed } from "../context.ts";
import { isOpen, type SeedChannel, useChannel } from "./seed-channels.ts";
import {
  askForSeveral,
  authorizeSeveral,
  type Item,
  type Several,
  severalOf,
  signSeveral,
} from "./several.ts";

/** Errors: `invalid-grant`, `too-many-requests` (nothing is used up by it), those of a release. */
export async function presentSeed(
  kms: Context,
  seed: SealedSeed,
  items: readonly Item[],
  requestId: string,
): Promise<Result<Presented>> {
  const { store } = kms;
  const about = { action: "kms:present-seed", caller: null, resource: "channel", requestId };
  const presented = { channel: seed.channel, edks: await edksDigest(items.map(({ token }) => token)) };
  // What is made up takes no turn of the tenant's.
  if (!isOpen(store.sql, seed.channel))
    return authorize<never>(store, about, () => turnAway("invalid-grant", "channel is unknown or used"));
  const name = crypto.randomUUID();
  const turns = kms.turns();
  const turn = await turns.beginSeed(name);
  if (!turn.ok) return authorize<never>(store, about, () => turn);
  try {
    const used = authorize(store, about, (sql) => useChannel(sql, presented, seconds(Date.now())));
    if (!used.ok) return used;
    const { value: channel } = used;
    const several = await severalOf({ ...channel.caller, requestId }, items, channel.recipient);
    try {
      return await derive(kms, { seed, channel, several });
    } catch (error) {
      return failed(kms, "kms:derive-at-hsm", several.about, error);
    } finally {
      // By alarm where the HSM is away.
      await endAgreement(kms.ledger, channel.batch);
    }
  } finally {
    await turns.endSeed(name);
  }
}

async function derive(
  kms: Context,
  { seed, channel, several }: { seed: SealedSeed; channel: SeedChannel; several: Several },
): Promise<Result<Presented>> {
  const { neighbours, hsm, ledger } = kms;
  const standing = await askForSeveral(neighbours, several);
  const decision = authorizeSeveral(kms, "kms:derive-from-seed", several, standing);
  if (!decision.ok) return decision;
  const { policies, recipient } = decision.value;
  const { agreement, batch, share, transcript } = channel;
  const seeds = several.items.map(({ edk }) => {
    if (edk.wrapping !== "seed") throw new UnexpectedAnswer("not a key of a seed");
    return edk.seed;
  });
  const [first] = seeds;
  if (first === undefined) throw new UnexpectedAnswer("no key of a seed");
  const labels = seeds.map(({ label }) => label);
  const sealed = { nonce: decodeBase64url(seed.nonce), sealed: decodeBase64url(seed.sealed) };
  const on = { agreement, batch, share, info: seedChannelInfo(transcript) };
  const from = { ...on, ...sealed, hmac: first.key, labels, hsmKey: recipient.hsmKey };
  const { wrapped, agreed } = await deriveFromSeed(hsm, ledger, from, Date.now());
  if (wrapped.length !== labels.length) throw new UnexpectedAnswer("the HSM did not derive the keys");
  const back = { share, info: channelInfoOf(transcript), data: concat(...wrapped), agreed };
  const answer = await sealOverChannel(hsm, ledger, back, Date.now());
  const toSign = { ...several, notAfter: recipient.notAfter, policies, wrapped };
  const loads = await signSeveral(kms, toSign, { channel: channel.channel, way: "seed" });
  const again = await askForSeveral(neighbours, several);
  const released = authorizeSeveral(kms, "kms:release", several, again);
  if (!released.ok) return released;
  return ok({ ...answer, receipts: loads.map(({ receipt }) => receipt) });
}
