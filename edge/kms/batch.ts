/**
 * One batch at the HSM, every item checked, nothing left behind. Error continuation is Continue so that the items that
 * clean up run whatever failed before them; if the answer is lost or an item failed, what the batch made is found by its
 * object group and removed.
 */

import { KmipError, type RequestItem, type ResponseItem } from "#protocol/kmip/index.ts";
import type { Hsm } from "../hsm/index.ts";
import { retire } from "./key-block.ts";

/** Bookkeeping of batches under way, in the object's storage. */
export interface BatchLedger {
  begin(objectGroup: string): void;
  end(objectGroup: string): void;
}

/**
 * Runs what `build` makes for a fresh object group and returns the answers, one an item, all of them successes.
 * Throws the `KmipError` of the first item that failed, or what the transport threw; leftovers are swept before.
 */
export async function runBatch(
  hsm: Hsm,
  ledger: BatchLedger,
  build: (objectGroup: string) => RequestItem[],
): Promise<ResponseItem[]> {
  const objectGroup = `kms/${crypto.randomUUID()}`;
  const items = build(objectGroup);
  ledger.begin(objectGroup);
  try {
    const answers = await hsm.batch(items, {
      batchErrorContinuationOption: "Continue",
      batchOrderOption: true,
    });
    check(items, answers);
    ledger.end(objectGroup);
    return answers;
  } catch (error) {
    // On failure the ledger keeps the group, and the alarm sweeps it later.
    await sweep(hsm, objectGroup).then(
      () => ledger.end(objectGroup),
      () => undefined,
    );
    throw error;
  }
}

function check(items: RequestItem[], answers: ResponseItem[]): void {
  if (answers.length !== items.length) throw new KmipError("InvalidMessage", "The HSM left items out");
  answers.forEach((answer, index) => {
    const { operation } = items[index]!;
    if (answer.resultStatus !== "Success") {
      throw new KmipError(answer.resultReason ?? "GeneralFailure", undefined, operation);
    }
    if (answer.operation !== operation)
      throw new KmipError("InvalidMessage", "The HSM answered another operation");
  });
}

/** Removes every object of the group. Throws unless the HSM says afterwards that none is left. */
export async function sweep(hsm: Hsm, objectGroup: string): Promise<void> {
  const left = await membersOf(hsm, objectGroup);
  if (left.length === 0) return;
  await hsm.batch(left.flatMap(retire), { batchErrorContinuationOption: "Continue" });
  if ((await membersOf(hsm, objectGroup)).length > 0) throw new Error("objects are left at the HSM");
}

async function membersOf(hsm: Hsm, objectGroup: string): Promise<string[]> {
  const { uniqueIdentifier = [] } = await hsm.request("Locate", {
    attributes: { objectGroup: [objectGroup] },
  });
  return uniqueIdentifier;
}
