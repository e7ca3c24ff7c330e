/**
 * Receipt for a channel that takes a seed (M9). A seed goes to the HSM or to nobody, so the instance has to know whose the other share is
 * before it seals anything: the HSM signs this for the share of an agreement key that it has made, and for no other.
 */

import { SIGN_TYPE } from "../hierarchy/index.ts";
import { base64url, fits, line, literal, object, type Shape, seconds } from "../shape.ts";
import { type ChannelOf, channelDigest } from "./channel.ts";
import { JwsError, verifyJws } from "./jws.ts";
import { checkTime } from "./time.ts";
import { findKey, type TrustList } from "./trust.ts";

export type ChannelReceipt = {
  version: 1;
  kind: "channel";
  /** Identifier of the agreement key at the HSM, and its share: raw, base64url. */
  agreement: string;
  share: string;
  /** What the channel is bound to (`channelDigest`), base64url. */
  channel: string;
  /** Seconds since 1970. */
  iat: number;
  exp: number;
};

const shape: Shape<ChannelReceipt> = /* @__PURE__ */ object({
  version: /* @__PURE__ */ literal(1),
  kind: /* @__PURE__ */ literal("channel"),
  agreement: /* @__PURE__ */ line(64),
  share: /* @__PURE__ */ base64url(32),
  channel: /* @__PURE__ */ base64url(32),
  iat: seconds,
  exp: seconds,
});

/** Verifies it for the channel that the instance asked for; `now` in seconds. Throws `JwsError`. */
export async function verifyChannelReceipt(
  token: string,
  trust: TrustList,
  of: ChannelOf,
  now: number,
): Promise<ChannelReceipt> {
  const receipt = await verifyJws(token, SIGN_TYPE.receipt, (kid) => findKey(trust, kid, "receipt"));
  if (!fits(shape, receipt)) throw new JwsError("jws-payload", "not a channel's receipt");
  checkTime(receipt, now);
  if (receipt.channel !== (await channelDigest(of, receipt.share)))
    throw new JwsError("jws-payload", "receipt is for another channel");
  return receipt;
}
