/**
 * The ceremony of the strict variant (docs/decisions/0037), as the KMS does it: in one batch the master key comes into the HSM as the
 * recovery recipient has it, leaves for the one instance that the officer has named, and is destroyed.
 */

import { digest } from "#protocol/digest.ts";
import {
  encryptedMasterKeyName,
  named,
  POLICY,
  policyAttribute,
  recoveryKeyName,
  VENDOR,
  WORKING,
} from "#protocol/hierarchy/index.ts";
import { type Hsm, UnexpectedAnswer } from "../hsm/index.ts";
import {
  getWrapped,
  importWrapped,
  keyValueOf,
  recipientKeyOf,
  retire,
  runBatch,
  toRecipient,
} from "../hsm/keys/index.ts";
import type { Context } from "./context.ts";
import { StrictTenant } from "./master-key.ts";

/** Thumbprint of a registered recipient's public key, and bytes that RSA encrypts to under it: asked of the HSM, which has verified it. */
export async function recipientOf(
  hsm: Pick<Hsm, "request">,
  uniqueIdentifier: string,
): Promise<{ thumbprint: string; ciphertext: number }> {
  const { object } = await hsm.request("Get", { uniqueIdentifier, keyFormatType: "X_509" });
  const value = object.publicKey?.keyBlock.keyValue;
  const spki = value instanceof Uint8Array ? undefined : value?.keyMaterial;
  if (!(spki instanceof Uint8Array)) throw new UnexpectedAnswer("the HSM returned no public key");
  // Of 3072 or of 4096 bits: beside the modulus there are some forty bytes.
  return { thumbprint: await digest(new Uint8Array(spki)), ciphertext: spki.length > 512 ? 512 : 384 };
}

/**
 * Enc(master) for the recipient with this thumbprint and identifier at the HSM. Throws `StrictTenant` where no ceremony is under way, or
 * one for another recipient; and what the HSM throws, which looks at all of it again.
 */
export async function restoreMaster(
  { store, hsm, ledger }: Pick<Context, "store" | "hsm" | "ledger">,
  master: { key: string; recovery: string },
  recipient: { hsmKey: string; thumbprint: string },
): Promise<Uint8Array<ArrayBuffer>> {
  const locate = async (attributes: object) =>
    (await hsm.request("Locate", { attributes })).uniqueIdentifier[0];
  const recovery = await locate({ name: named(recoveryKeyName(store.tenant)), state: WORKING });
  if (recovery === undefined) throw new StrictTenant("recovery-needed");
  const { attributes } = await hsm.request("GetAttributes", {
    uniqueIdentifier: recovery,
    attributeReference: [{ vendorIdentification: VENDOR, attributeName: POLICY.restoredFor }],
  });
  if (policyAttribute(attributes, POLICY.restoredFor) !== recipient.thumbprint)
    throw new StrictTenant("recovery-needed");
  const held = await locate({ name: named(encryptedMasterKeyName(master.key, master.recovery)) });
  if (held === undefined) throw new UnexpectedAnswer("the HSM keeps nothing for the recovery recipient");
  const [kept] = await hsm.batch([getWrappedAsKept(held)]);
  const id = crypto.randomUUID();
  const now = Date.now();
  const [, got] = await runBatch(hsm, ledger, (name) => [
    importWrapped({
      ...{ id, class: "restored", wrapped: keyValueOf(kept), wrappedBy: recovery, byPair: true },
      ...{ name: name(), now },
    }),
    getWrapped(toRecipient(recipient.hsmKey), id),
    ...retire(id),
  ]);
  return recipientKeyOf(got);
}

function getWrappedAsKept(uniqueIdentifier: string) {
  return { operation: "Get" as const, payload: { uniqueIdentifier } };
}
