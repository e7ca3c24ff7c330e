/**
 * Load receipt (M8): anyone who holds a certificate can wrap a key of their choice to it, so the KMS signs which wrapped
 * key it released to whom. The microservice verifies it BEFORE it unwraps.
 */

import { digest } from "../digest.ts";
import { SIGN_TYPE } from "../hierarchy/index.ts";
import { type KeyPolicy, keyPolicy } from "../policy/index.ts";
import { base64url, fits, line, literal, object, type Shape, seconds, whole } from "../shape.ts";
import { JwsError, verifyJws } from "./jws.ts";
import { edkDigests } from "./low-s.ts";
import { checkTime } from "./time.ts";
import { findKey, type TrustList } from "./trust.ts";

export type Receipt = {
  version: 1;
  /** SHA-256 of the wrapped key's bytes. Every digest is base64url, 43 characters. */
  wrappedKeyDigest: string;
  /** SHA-256 of the ASCII of the EDK's compact JWS, in its form with the lower s. */
  edkDigest: string;
  keyId: string;
  keyVersion: number;
  /** SHA-256 of the wrapping certificate's DER. */
  recipient: string;
  tenant: string;
  /** Absent of a key of the tenant itself. */
  account?: string;
  /** What this instance may do with the key: the EDK's policy narrowed by the KMS's current one. */
  policy: KeyPolicy;
  /** Of a key that the HSM derived from a seed (M9). */
  way?: "seed";
  /** How the key is wrapped; absent where it is by RSA-OAEP. `CMS`: what is wrapped by it is a content-encryption key (M19). */
  wrapping?: "hybrid" | "CMS";
  /** Of a key that came over a channel (M7): what that is bound to, by `channelDigest`. */
  channel?: string;
  /** Seconds since 1970: issued, and the last moment at which the key may be loaded with it. */
  iat: number;
  exp: number;
};

const identifier = line(64);
const receiptShape: Shape<Receipt> = object(
  {
    version: literal(1),
    wrappedKeyDigest: base64url(32),
    edkDigest: base64url(32),
    keyId: identifier,
    keyVersion: whole(1),
    recipient: base64url(32),
    tenant: identifier,
    policy: keyPolicy,
    iat: seconds,
    exp: seconds,
  },
  {
    ...{ account: identifier, channel: base64url(32) },
    ...{ way: literal("seed"), wrapping: literal("hybrid", "CMS") },
  },
);

/**
 * Verifies that the KMS released exactly this wrapped key for exactly this EDK to exactly this recipient.
 * `recipient` is the base64url SHA-256 of the instance's own wrapping certificate, `now` in seconds.
 * Throws `JwsError`: `jws-payload` when it speaks of another key, EDK or recipient.
 */
export async function verifyReceipt(
  token: string,
  trust: TrustList,
  load: { wrappedKey: Uint8Array<ArrayBuffer>; edk: string; recipient: string; now: number },
): Promise<Receipt> {
  const receipt = await verifyJws(token, SIGN_TYPE.receipt, (kid) => findKey(trust, kid, "receipt"));
  if (!fits(receiptShape, receipt)) throw new JwsError("jws-payload", "not a load receipt");
  checkTime(receipt, load.now);
  if (receipt.recipient !== load.recipient)
    throw new JwsError("jws-payload", "receipt is for another recipient");
  if (receipt.wrappedKeyDigest !== (await digest(load.wrappedKey))) {
    throw new JwsError("jws-payload", "receipt is for another wrapped key");
  }
  // Either form of the same EDK: receipts were given for the form that had been presented.
  if (!(await edkDigests(load.edk)).includes(receipt.edkDigest))
    throw new JwsError("jws-payload", "receipt is for another EDK");
  return receipt;
}
