import { decodeBase64url } from "../base64url.ts";
import { digest } from "../digest.ts";
import { SIGN_TYPE } from "../hierarchy/index.ts";
import { type EcPublicJwk, ecPublicJwk } from "../jwk.ts";
import { SECOND_LAYERS, type SecondLayer } from "../second-layer.ts";
import { base64url, fits, line, literal, object, type Shape, seconds, whole } from "../shape.ts";
import { isSignedBy, JwsError, verifyJws } from "./jws.ts";
import { checkTime } from "./time.ts";
import { findKey, type TrustList } from "./trust.ts";

/**
 * Receipt for a key of the hierarchy that the HSM wrapped to an instance: the tenant's master key (level `master`), or an account
 * key (level `account`). It answers a challenge, so that the instance knows the KMS whenever it starts (W9). A closed shape with a
 * `kind`: none of them passes for a load receipt, nor for one of the other kind.
 */
export type MasterReceipt = HierarchyReceipt & {
  kind: "master";
  /** What the tenant has encrypted once more under its master key (W14); of the current one alone. */
  secondLayer?: SecondLayer;
  /**
   * The symmetric app-specific key that the master key is encrypted under: its id, SHA-256 of its bytes as they are encrypted to the
   * recipient, and where it came with this answer, what the channel was (`channelDigest`).
   */
  appKey?: { id: string; digest: string; channel?: string };
  /**
   * The key whose signature over another challenge (`proofInput`) has the receipt answer that one too, until `exp` (RFC 7800 §3.2; docs/decisions/0102).
   */
  cnf?: { jwk: EcPublicJwk };
};
export type AccountReceipt = HierarchyReceipt & { kind: "account"; account: string };
type HierarchyReceipt = {
  version: 1;
  /** SHA-256 of the wrapped key's bytes. */
  wrappedKeyDigest: string;
  /** Of the master key: its identifier at the HSM, as the `master` of Enc(account) says it. Of an account key: as the EDK says it. */
  keyId: string;
  keyVersion: number;
  /** SHA-256 of the wrapping certificate's DER. */
  recipient: string;
  tenant: string;
  /** 32 random bytes of the instance. */
  challenge: string;
  /** Seconds since 1970: issued, and the last moment at which the key may be unwrapped with it. */
  iat: number;
  exp: number;
};

const identifier = /* @__PURE__ */ line(64);
const hierarchy = {
  version: /* @__PURE__ */ literal(1),
  wrappedKeyDigest: /* @__PURE__ */ base64url(32),
  keyId: identifier,
  keyVersion: /* @__PURE__ */ whole(1),
  recipient: /* @__PURE__ */ base64url(32),
  tenant: identifier,
  challenge: /* @__PURE__ */ base64url(32),
  iat: seconds,
  exp: seconds,
};
const masterShape: Shape<MasterReceipt> = /* @__PURE__ */ object(
  { ...hierarchy, kind: /* @__PURE__ */ literal("master") },
  {
    secondLayer: /* @__PURE__ */ literal(...SECOND_LAYERS),
    appKey: /* @__PURE__ */ object(
      { id: identifier, digest: /* @__PURE__ */ base64url(32) },
      { channel: /* @__PURE__ */ base64url(32) },
    ),
    cnf: /* @__PURE__ */ object({ jwk: ecPublicJwk }),
  },
);
const accountShape: Shape<AccountReceipt> = /* @__PURE__ */ object({
  ...hierarchy,
  kind: /* @__PURE__ */ literal("account"),
  account: identifier,
});

/** What the instance asked for and got. `recipient`, `tenant`: of its own certificates; `now` in seconds. */
export type Awaited = {
  wrappedKey: Uint8Array<ArrayBuffer>;
  recipient: string;
  tenant: string;
  challenge: string;
  now: number;
};

/** What the key of a receipt signs for a later challenge: this receipt, no other one. */
export function proofInput(receipt: string, challenge: string): string {
  return `${receipt}.${challenge}`;
}

/**
 * Verifies that the KMS released exactly this master key to this recipient, for this challenge. `proof`: signature of the receipt's own
 * key, base64url, where the HSM has signed the receipt for an earlier challenge. Throws `JwsError`.
 */
export function verifyMasterReceipt(
  token: string,
  trust: TrustList,
  awaited: Awaited & { proof?: string | undefined },
): Promise<MasterReceipt> {
  return verifyHierarchy(token, trust, masterShape, awaited);
}

/** The same of an account key. Throws `JwsError`. */
export async function verifyAccountReceipt(
  token: string,
  trust: TrustList,
  awaited: Awaited & { account: string },
): Promise<AccountReceipt> {
  const receipt = await verifyHierarchy(token, trust, accountShape, awaited);
  if (receipt.account !== awaited.account)
    throw new JwsError("jws-payload", "receipt is for another account");
  return receipt;
}

async function verifyHierarchy<R extends HierarchyReceipt & Pick<MasterReceipt, "cnf">>(
  token: string,
  trust: TrustList,
  shape: Shape<R>,
  awaited: Awaited & { proof?: string | undefined },
): Promise<R> {
  const receipt = await verifyJws(token, SIGN_TYPE.receipt, (kid) => findKey(trust, kid, "receipt"));
  if (!fits(shape, receipt)) throw new JwsError("jws-payload", "not a receipt of this kind");
  checkTime(receipt, awaited.now);
  for (const name of ["recipient", "tenant"] as const)
    if (receipt[name] !== awaited[name]) throw new JwsError("jws-payload", `receipt is for another ${name}`);
  if (receipt.challenge !== awaited.challenge && !(await isProven(token, receipt, awaited)))
    throw new JwsError("jws-payload", "receipt is for another challenge");
  if (receipt.wrappedKeyDigest !== (await digest(awaited.wrappedKey)))
    throw new JwsError("jws-payload", "receipt is for another wrapped key");
  return receipt;
}

async function isProven(
  token: string,
  { cnf }: Pick<MasterReceipt, "cnf">,
  { challenge, proof }: { challenge: string; proof?: string | undefined },
): Promise<boolean> {
  if (!cnf || proof === undefined) return false;
  try {
    return await isSignedBy(cnf.jwk, decodeBase64url(proof), proofInput(token, challenge));
  } catch {
    return false;
  }
}
