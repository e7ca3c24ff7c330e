/** EDKs and load receipts are signed in the HSM, each kind by its own key; several in one batch. */

import { utf8 } from "#protocol/bytes.ts";
import { SIGN_TYPE, SIGNER } from "#protocol/hierarchy/index.ts";
import {
  type AccountReceipt,
  type ChannelReceipt,
  type Edk,
  findKey,
  type IndexReceipt,
  joinJws,
  jwkFromSpki,
  type MasterReceipt,
  type Receipt,
  signingInput,
  type TrustList,
  thumbprint,
} from "#protocol/keys/index.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import { type Hsm, rawSignature } from "../hsm/index.ts";

/** Signs all of them with the key for EDKs; compact JWS, in order. */
export function signEdks(hsm: Hsm, trust: TrustList, edks: Edk[]): Promise<string[]> {
  return signAll(hsm, trust, "edk", edks);
}

export async function signReceipt(
  hsm: Hsm,
  trust: TrustList,
  receipt: Receipt | MasterReceipt | AccountReceipt | ChannelReceipt | IndexReceipt,
): Promise<string> {
  const [signed] = await signAll(hsm, trust, "receipt", [receipt]);
  if (signed === undefined) throw new Error("nothing was signed");
  return signed;
}

/** In one batch, in order. */
export function signReceipts(hsm: Hsm, trust: TrustList, receipts: Receipt[]): Promise<string[]> {
  return signAll(hsm, trust, "receipt", receipts);
}

async function signAll(
  hsm: Hsm,
  trust: TrustList,
  purpose: "edk" | "receipt",
  payloads: object[],
): Promise<string[]> {
  const { key, publicKey } = SIGNER[purpose];
  const [uniqueIdentifier, spki] = await Promise.all([hsm.locate(key), hsm.publicKey(publicKey)]);
  const kid = await thumbprint(jwkFromSpki(spki));
  // What is sealed under an EDK that nobody will trust could never be opened again.
  if (!findKey(trust, kid, purpose)) throw new Error("the signing key is not on the trust list");
  const inputs = payloads.map((payload) => signingInput({ typ: SIGN_TYPE[purpose], kid }, payload));
  const answers = await hsm.together.batch(
    inputs.map((input) => ({
      operation: "Sign" as const,
      payload: {
        uniqueIdentifier,
        cryptographicParameters: { digitalSignatureAlgorithm: "ECDSAWithSHA256" as const },
        data: utf8(input),
      },
    })),
    { batchErrorContinuationOption: "Continue", batchOrderOption: true },
  );
  return inputs.map((input, index) => {
    const answer = answers[index];
    if (answer?.resultStatus !== "Success" || answer.operation !== "Sign") {
      throw new KmipError(answer?.resultReason ?? "GeneralFailure", undefined, "Sign");
    }
    return joinJws(input, rawSignature(answer.payload?.signatureData));
  });
}
