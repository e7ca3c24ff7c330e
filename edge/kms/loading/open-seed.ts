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
import { type Context, failed } from "../context.ts";
import { signReceipt } from "../signing.ts";
import { acceptPresentation } from "./present.ts";
import { CHANNEL_SECONDS, keepChannel } from "./seed-channels.ts";
import { askForSeveral, authorizeSeveral, type Item } from "./several.ts";

/** `items`: verified, of one seed. */
export async function openSeedChannel(
  kms: Context,
  presentation: Presentation,
  items: readonly Item[],
  requestId: string,
): Promise<Result<{ receipt: string }>> {
  const how = { action: "kms:open-seed-channel", signedOf: seedPresentationInput };
  const accepted = await acceptPresentation(kms, how, presentation, items, requestId);
  if (!accepted.ok) return accepted;
  const { several, channel: of } = accepted.value;
  const standing = await askForSeveral(kms.neighbours, several);
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
    const { recipient } = of;
    const row = {
      channel,
      edks: await edksDigest(of.edks),
      transcript: await transcript(of),
      recipient,
      expires,
    };
    const { requestId: _, ...caller } = several.about.caller;
    const kept = { ...row, share: of.share, agreement, batch, caller };
    return authorize(kms.store, { ...several.about, action: "kms:keep-seed-channel" }, (sql) => {
      const room = keepChannel(sql, kept, iat);
      return room.ok ? ok({ receipt }) : room;
    });
  } catch (error) {
    return failed(kms, "kms:channel-at-hsm", several.about, error);
  }
}
