/** Signatures in the HSM (M16, M17), one batch each: the pair comes in under its account's key, signs, and goes again. */

import { decodeBase64url } from "#protocol/base64url.ts";
import { SIGNATURE_KEYS } from "#protocol/hierarchy/index.ts";
import { type Edk, isSignature, type SignatureAlgorithm } from "#protocol/keys/index.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import { rawSignature, UnexpectedAnswer } from "../../hsm/index.ts";
import { importSigningPair, runBatch } from "../../hsm/keys/index.ts";
import type { Context } from "../context.ts";
import type { Under } from "../loading/index.ts";
import { requireMasterKey } from "../master-key.ts";
import { isAllowed, readAllowed } from "./allowed.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes of r and s each, where the HSM answers them in DER. */
const ECDSA: Partial<Record<SignatureAlgorithm, 32 | 48>> = { ES256: 32, ES384: 48 };

/** Over `data` itself. Throws what the HSM throws: a `KmipError` of the operation Sign where the officer has not allowed it. */
export async function signAtHsm(
  { hsm, ledger }: Pick<Context, "hsm" | "ledger">,
  { edk, under }: { edk: Edk; under: Under },
  data: Bytes,
): Promise<Bytes> {
  const { algorithm, signing, wrappedKey } = edk;
  if (!signing || !isSignature(algorithm) || under.wrapped === undefined)
    throw new TypeError("not the key of an account that signs");
  const [wrapped, privateKey] = [wrappedKey, signing.privateKey].map(decodeBase64url) as [Bytes, Bytes];
  const id = crypto.randomUUID();
  const answers = await runBatch(hsm, ledger, (name) => {
    const of = { id, kind: algorithm, name, now: Date.now() };
    const { before, after } = importSigningPair(under, { wrapped, privateKey }, of);
    const cryptographicParameters = SIGNATURE_KEYS[algorithm].sign;
    const payload = { uniqueIdentifier: id, cryptographicParameters, data };
    return [...before, { operation: "Sign", payload }, ...after];
  });
  const signed = answers.find(({ operation }) => operation === "Sign");
  const made = signed?.operation === "Sign" ? signed.payload?.signatureData : undefined;
  if (!made) throw new UnexpectedAnswer("the HSM signed nothing");
  const length = ECDSA[algorithm];
  return length === undefined ? new Uint8Array(made) : rawSignature(made, length);
}

/** Throws a `KmipError` of the operation Sign unless the officer allows operations for this tenant: what is public is told by the same word. */
export async function checkAllowed({ hsm, store }: Pick<Context, "hsm" | "store">): Promise<void> {
  const { key } = await requireMasterKey(hsm, store.tenant);
  const [answer] = await hsm.batch([readAllowed(key)]);
  if (!isAllowed(answer)) throw new KmipError("PermissionDenied", "Operations are not allowed", "Sign");
}
