/**
 * One batch at the HSM, every item checked, nothing left behind. Error continuation is Continue so that the items that
 * clean up run whatever failed before them. Everything that a batch makes there has a name of the batch's own, so that
 * what it left is found and removed even if its answer is lost: at once, or by the alarm, from the ledger.
 */

import { named, transientName } from "#protocol/hierarchy/index.ts";
import { KmipError, type RequestItem, type ResponseItem } from "#protocol/kmip/index.ts";
import type { Hsm } from "../hsm/index.ts";
import { retire } from "./key-block.ts";

/** A batch under way: what it makes is named `<id>/0` to `<id>/<objects - 1>`. */
export type Batch = { id: string; objects: number };

/** Bookkeeping of batches under way, in the object's storage. */
export interface BatchLedger {
  begin(batch: Batch): void;
  end(batch: Batch): void;
}

/** Name attribute of the nth object of a batch. */
export function nameOf({ id }: Batch, n: number) {
  return named(transientName(id, n));
}

/**
 * Runs what `build` makes, which may name `objects` objects, and returns the answers, one an item, all of them
 * successes. Throws the `KmipError` of the first item that failed, or what the transport threw; leftovers are swept.
 */
export async function runBatch(
  hsm: Hsm,
  ledger: BatchLedger,
  objects: number,
  build: (batch: Batch) => RequestItem[],
): Promise<ResponseItem[]> {
  const batch = { id: `kms/${crypto.randomUUID()}`, objects };
  const items = build(batch);
  ledger.begin(batch);
  try {
    const answers = await hsm.batch(items, {
      batchErrorContinuationOption: "Continue",
      batchOrderOption: true,
    });
    check(items, answers);
    ledger.end(batch);
    return answers;
  } catch (error) {
    // If this fails too the ledger keeps the batch, and the alarm sweeps it later.
    await sweep(hsm, batch).then(
      () => ledger.end(batch),
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

/** Removes every object of the batch. Throws unless the HSM says afterwards that none is left. */
export async function sweep(hsm: Hsm, batch: Batch): Promise<void> {
  const left = await leftovers(hsm, batch);
  if (left.length === 0) return;
  await hsm.batch(left.flatMap(retire), { batchErrorContinuationOption: "Continue" });
  if ((await leftovers(hsm, batch)).length > 0) throw new Error("objects are left at the HSM");
}

async function leftovers(hsm: Hsm, batch: Batch): Promise<string[]> {
  const searches = Array.from({ length: batch.objects }, (_, n) => {
    return { operation: "Locate" as const, payload: { attributes: { name: nameOf(batch, n) } } };
  });
  const answers = await hsm.batch(searches, { batchErrorContinuationOption: "Continue" });
  return answers.flatMap((answer) => {
    if (answer.resultStatus !== "Success" || !answer.payload)
      throw new KmipError(answer.resultReason ?? "GeneralFailure");
    return answer.payload.uniqueIdentifier;
  });
}
