/** What the KMS says of a data key that was rewrapped for an instance: the same for one key and for several. */

import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { HYBRID_LENGTH } from "#protocol/hybrid.ts";
import { canonicalJws, type Edk, type Receipt } from "#protocol/keys/index.ts";
import type { KeyPolicy } from "#protocol/policy/index.ts";

/** How long a load receipt may be used to load the key, seconds: a working day, so that an instance starts offline. */
const RECEIPT_SECONDS = 8 * 3600;
/** The same of a document that another account has shared: what was withdrawn ends so soon where it is loaded already. Seconds. */
const SHARED_SECONDS = 3600;

/**
 * `token`: the EDK as it was sent. `thumbprint`: SHA-256 of the instance's wrapping certificate, base64url, which ends at `notAfter`
 * (seconds since 1970). `channel`: of keys that come over one, what names it. `way`: of those that are derived from a seed.
 */
export async function receiptFor(
  wrappedKey: Uint8Array<ArrayBuffer>,
  of: {
    edk: Edk;
    token: string;
    thumbprint: string;
    tenant: string;
    policy: KeyPolicy;
    notAfter: number;
    channel?: string | undefined;
    way?: Receipt["way"] | undefined;
  },
): Promise<Receipt> {
  const { edk, token, thumbprint, tenant, policy, notAfter, channel, way } = of;
  const iat = seconds(Date.now());
  return {
    version: 1,
    wrappedKeyDigest: await digest(wrappedKey),
    edkDigest: await digest(canonicalJws(token)),
    keyId: edk.keyId,
    keyVersion: edk.keyVersion,
    recipient: thumbprint,
    tenant,
    ...(edk.account !== undefined && { account: edk.account }),
    ...(channel !== undefined && { channel }),
    ...(way !== undefined && { way }),
    ...(wrappedKey.length === HYBRID_LENGTH && { wrapping: "hybrid" }),
    ...(edk.wrapping === "aws-kms" && { wrapping: "CMS" }),
    policy,
    iat,
    exp: Math.min(
      iat + (edk.record ? SHARED_SECONDS : RECEIPT_SECONDS),
      notAfter,
      edk.expires ?? Number.MAX_SAFE_INTEGER,
    ),
  };
}
