import { named } from "#protocol/hierarchy/index.ts";
import { KmipError, type RequestItem, type UniqueIdentifier } from "#protocol/kmip/index.ts";
import type { Hsm } from "../client.ts";

/** Revoke and Destroy, in this order: an active object cannot be destroyed (KMIP 2.1 §6.1.15 Destroy). */
export function retire(uniqueIdentifier: UniqueIdentifier): RequestItem[] {
  return [
    {
      operation: "Revoke",
      payload: { uniqueIdentifier, revocationReason: { revocationReasonCode: "CessationOfOperation" } },
    },
    { operation: "Destroy", payload: { uniqueIdentifier } },
  ];
}

/**
 * Takes the objects with these names out of use and removes them, in that order. Throws unless the HSM says afterwards
 * that none is left. Revoke is refused for what was never active, and that is well: Destroy is what counts.
 */
export async function sweep(hsm: Pick<Hsm, "batch">, names: string[]): Promise<void> {
  // An empty batch is no message, and a batch that made nothing has left nothing.
  if (names.length === 0) return;
  const left = await leftovers(hsm, names);
  if (left.length === 0) return;
  await hsm.batch(left.flatMap(retire), { batchErrorContinuationOption: "Continue" });
  if ((await leftovers(hsm, names)).length > 0)
    throw new KmipError("GeneralFailure", "Objects are left at the HSM", "Destroy");
}

/** The same with one object, by its identifier. Throws unless the HSM says that it is gone, or never was there. */
export async function remove(hsm: Pick<Hsm, "batch">, uniqueIdentifier: string): Promise<void> {
  const answers = await hsm.batch(retire(uniqueIdentifier), { batchErrorContinuationOption: "Continue" });
  const destroyed = answers[1];
  const reason = destroyed?.resultReason;
  const absent = reason === "ObjectNotFound" || reason === "ItemNotFound" || reason === "ObjectDestroyed";
  if (destroyed?.resultStatus !== "Success" && !absent)
    throw new KmipError(reason ?? "GeneralFailure", "An object is left at the HSM", "Destroy");
}

async function leftovers(hsm: Pick<Hsm, "batch">, names: string[]): Promise<string[]> {
  const searches = names.map((name) => {
    return { operation: "Locate" as const, payload: { attributes: { name: named(name) } } };
  });
  const answers = await hsm.batch(searches, { batchErrorContinuationOption: "Continue" });
  return answers.flatMap((answer) => {
    if (answer.resultStatus !== "Success" || !answer.payload)
      throw new KmipError(answer.resultReason ?? "GeneralFailure", undefined, "Locate");
    return answer.payload.uniqueIdentifier;
  });
}
