/** An instance presents a grant for keys of a seed (M9): used up first, then looked at; it gets a channel that takes the seed. */

import { seconds } from "#protocol/clock.ts";
import {
  type ChannelReceipt,
  channelDigest,
  edksDigest,
  type Presentation,
  seedPresentationInput,
  transcript,
} from "#protocol/keys/index.ts";
import { authorize } from "../../authorize.ts";
import { openAgreement } from "../../hsm/keys/index.ts";
import { ok, type Result } from "../../result.ts";
import { hashSecret } from "../../secret.ts";
import { type Context, failed } from "../context.ts";
import { signReceipt } from "../signing.ts";
import { useGrant } from "./grants.ts";
import { checkHolder } from "./present.ts";
import { CHANNEL_SECONDS, keepChannel } from "./seed-channels.ts";
import { askForSeveral, authorizeSeveral, type Item, severalOf } from "./several.ts";

/** `items`: verified, of one seed. */
export async function openSeedChannel(
  kms: Context,
  presentation: Presentation,
  items: readonly Item[],
  requestId: string,
): Promise<Result<{ receipt: string }>> {
  const { store, neighbours } = kms;
  const tokens = items.map(({ token }) => token);
  const presented = { hash: await hashSecret(presentation.grant), edks: await edksDigest(tokens) };
  const about = { action: "kms:open-seed-channel", caller: null, resource: "grant", requestId };
  const used = authorize(store, about, (sql) => useGrant(sql, presented, seconds(Date.now())));
  if (!used.ok) return used;
  const { caller } = used.value;
  const named = await severalOf({ ...caller, requestId }, items, used.value.recipient);
  const holder = await checkHolder(neighbours, named, presentation, tokens, seedPresentationInput);
  if (!holder.ok) return authorize<never>(store, { ...named.about, action: about.action }, () => holder);
  const { recipient } = holder.value;
  const several = await severalOf({ ...caller, requestId }, items, recipient);
  const of = { ...presentation, edks: tokens, recipient };
  const standing = await askForSeveral(neighbours, several);
  const decision = authorizeSeveral(kms, "kms:load-by-seed", several, standing);
  if (!decision.ok) return decision;
  try {
    const { batch, ...agreement } = await openAgreement(kms.hsm, kms.ledger, Date.now());
    const channel = await channelDigest(of, agreement.share);
    const iat = seconds(Date.now());
    const expires = iat + CHANNEL_SECONDS;
    const { id, share } = agreement;
    const said: ChannelReceipt = {
      version: 1,
      kind: "channel",
      agreement: id,
      share,
      channel,
      iat,
      exp: expires,
    };
    const receipt = await signReceipt(kms.hsm, await kms.trust.list(), said);
    const row = { channel, edks: presented.edks, transcript: await transcript(of), recipient, expires };
    const kept = { ...row, share: presentation.share, agreement, batch, caller };
    return authorize(store, { ...several.about, action: "kms:keep-seed-channel" }, (sql) => {
      const room = keepChannel(sql, kept, iat);
      return room.ok ? ok({ receipt }) : room;
    });
  } catch (error) {
    return failed(kms, "kms:channel-at-hsm", several.about, error);
  }
}
