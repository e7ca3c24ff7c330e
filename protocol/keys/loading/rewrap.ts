/**
 * Loading by rewrap (M8): the HSM wraps a data key to the instance's certificate, and the KMS signs a receipt for it. Anyone
 * who holds the certificate can wrap a key of their own to it, so without the receipt nothing may be unwrapped.
 */

import { base64url, compactJws, literal, type Of, object, text } from "../../shape.ts";
import { verifyEdk } from "../edk.ts";
import { MAX_JWS_LENGTH } from "../length.ts";
import { verifyReceipt } from "../receipt.ts";
import type { Verified, Verifier } from "./verifier.ts";
import { wrappedOf } from "./wrapping.ts";

/** What a back end asks for that gives keys to attested recipients alone (M19): a document, minutes old, that names the wrapping key. Base64url. */
export const attestation = /* @__PURE__ */ base64url(1, 16_640);

/**
 * `certificate`: of the instance's wrapping key, DER, base64url. What is no EDK or no certificate has a problem of its own.
 * Every call is marked as pure, so that the microservice does not bundle it.
 */
export const requested = /* @__PURE__ */ object(
  {
    way: /* @__PURE__ */ literal("rewrap"),
    edk: /* @__PURE__ */ text(0, MAX_JWS_LENGTH),
    certificate: /* @__PURE__ */ text(0, 8192),
  },
  { attestation },
);

/** EDK and receipt are compact JWS; `wrappedKey` is by one of the ways of `wrapping.ts`, base64url. */
export const loaded = /* @__PURE__ */ object({
  way: literal("rewrap"),
  edk: compactJws(MAX_JWS_LENGTH),
  wrappedKey: text(1, 2048, /^[\w-]+$/),
  receipt: compactJws(MAX_JWS_LENGTH),
});

/** EDK and receipt under the trust list, each of the other. Throws `JwsError` or `TypeError`. */
export async function verify(
  load: Of<typeof loaded>,
  { trust, recipient, now }: Verifier,
): Promise<Verified> {
  const wrapped = wrappedOf(load.wrappedKey);
  const [edk, receipt] = await Promise.all([
    verifyEdk(load.edk, trust, now),
    verifyReceipt(load.receipt, trust, { ...wrapped, edk: load.edk, recipient, now }),
  ]);
  for (const name of ["keyId", "keyVersion", "tenant", "account"] as const)
    if (receipt[name] !== edk[name]) throw new TypeError(`another ${name}`);
  if ((edk.wrapping === "seed") !== (receipt.way === "seed")) throw new TypeError("came another way");
  // Whoever answers by RSA-OAEP, and says so or not: what was asked for is in what is signed.
  const hybrid = wrapped.wrapping === "hybrid";
  const said = hybrid ? "hybrid" : wrapped.cms ? "CMS" : undefined;
  if (receipt.wrapping !== said || (edk.wrapping === "aws-kms") !== (said === "CMS"))
    throw new TypeError("another wrapping");
  if (!hybrid && (edk.policy.wrapping ?? receipt.policy.wrapping)) throw new TypeError("not hybrid");
  return { ...wrapped, edk, receipt };
}
