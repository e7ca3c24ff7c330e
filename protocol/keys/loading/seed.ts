/**
 * Loading by seed (M9): the custodian hands a grant, EDKs of one seed and the seed over. The instance presents the grant first, and gets a
 * channel whose other end is in the HSM and signed for; over that the seed goes, and what comes is a rewrapped key for each EDK, with
 * its receipt (`rewrap.ts`).
 */

import { MAX_LABELS, MAX_SEED } from "../../seed.ts";
import {
  base64url,
  blob,
  bytes,
  compactJws,
  either,
  list,
  literal,
  type Of,
  object,
  open,
} from "../../shape.ts";
import { MAX_JWS_LENGTH } from "../length.ts";
import { grant, presentation } from "./grant.ts";

const jws = /* @__PURE__ */ compactJws(MAX_JWS_LENGTH);
const edks = /* @__PURE__ */ list(jws, 1, MAX_LABELS);
const said = { way: /* @__PURE__ */ literal("seed"), grant, edks };

/** In JSON: the seed in base64url. */
export const handedInJson = /* @__PURE__ */ object({ ...said, seed: /* @__PURE__ */ base64url(1, MAX_SEED) });
/** What the custodian hands over: its bytes, which are nobody else's afterwards, a file of any length, or base64url. */
export const handed = /* @__PURE__ */ object({
  ...said,
  seed: /* @__PURE__ */ either(/* @__PURE__ */ bytes(MAX_SEED), blob, /* @__PURE__ */ base64url(1, MAX_SEED)),
});

/** As a grant is presented; the proof is over `seedPresentationInput`. */
export const seedPresentation = presentation;
/** A `ChannelReceipt`. */
export const seedChannel = /* @__PURE__ */ open({ receipt: jws });

/** `channel`: what the receipt is for; `sealed`: the seed and the tag, by AES-256-GCM under the key of `seedChannelInfo`. All base64url. */
export const sealedSeed = /* @__PURE__ */ object({
  edks,
  channel: /* @__PURE__ */ base64url(32),
  nonce: /* @__PURE__ */ base64url(12),
  sealed: /* @__PURE__ */ base64url(17, MAX_SEED + 16),
});
export type SealedSeed = Of<typeof sealedSeed>;
