/** An instance presents a grant for keys of a seed (M9): used up first, then looked at; it gets a channel that takes the seed. */

import { seconds } from "#protocol/clock.ts";
import {
  type ChannelOf,
  type ChannelReceipt,
  channelDigest,
  edksDigest,
  type Presentation,
  seedPresentationInput,
  transcript,
} from "#protocol/keys/index.ts";
import { authorize } from "../../authorize.ts";
import { endAgreement, openAgreement } from "../../hsm/keys/index.ts";
import { ok, type Result } from "../../result.ts";
import { type Context, failed } from "../context.ts";
import { signReceipt } from "../signing.ts";
import { acceptPresentation } from "./present.ts";
import { CHANNEL_SECONDS, keepChannel, type SeedChannel } from "./seed-channels.ts";
import { askForSeveral, authorizeSeveral, type Item, type Several } from "./several.ts";

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
    let isKept = false;
    try {
      const kept = await keep(kms, several, of, { agreement, batch });
      isKept = kept.ok;
      return kept;
    } finally {
      // By alarm where the HSM is away.
      if (!isKept) await endAgreement(kms.ledger, batch);
    }
  } catch (error) {
    return failed(kms, "kms:channel-at-hsm", several.about, error);
  }
}

/** Signs what the instance is told of the channel, which waits for the seed from then on. */
async function keep(
  { store, hsm, trust }: Context,
  { about }: Several,
  of: ChannelOf,
  { agreement, batch }: Pick<SeedChannel, "agreement" | "batch">,
): Promise<Result<{ receipt: string }>> {
  const { id, share } = agreement;
  const channel = await channelDigest(of, share);
  const iat = seconds(Date.now());
  const exp = iat + CHANNEL_SECONDS;
  const said: ChannelReceipt = { version: 1, kind: "channel", agreement: id, share, channel, iat, exp };
  const receipt = await signReceipt(hsm, await trust.list(), said);
  const { requestId: _, ...caller } = about.caller;
  const row: SeedChannel = {
    ...{ channel, agreement, batch, caller, expires: exp },
    ...{ edks: await edksDigest(of.edks), transcript: await transcript(of) },
    ...{ recipient: of.recipient, share: of.share },
  };
  return authorize(store, { ...about, action: "kms:keep-seed-channel" }, (sql) => {
    const room = keepChannel(sql, row, iat);
    return room.ok ? ok({ receipt }) : room;
  });
}
