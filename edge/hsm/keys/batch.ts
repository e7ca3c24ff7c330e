/**
 * One batch at the HSM, every item checked, nothing left behind. Error continuation is Continue so that the items that
 * clean up run whatever failed before them. Everything that a batch makes there has a name of the batch's own, so that
 * what it left is found and removed even if its answer is lost: at once, or by the alarm, from the ledger.
 */

import { named, transientName } from "#protocol/hierarchy/index.ts";
import { KmipError, type RequestItem, type ResponseItem } from "#protocol/kmip/index.ts";
import type { Batches } from "../client.ts";
import type { Ledger } from "./ledger.ts";

/** Name attribute of the next object that a batch makes. */
export type NextName = () => ReturnType<typeof named>;

/**
 * Runs what `build` makes, which gives each object a name of its own, and returns the answers, one an item, all of them
 * successes. Throws the `KmipError` of the first item that failed, or what the transport threw; leftovers are swept.
 */
export async function runBatch(
  hsm: Batches,
  ledger: Pick<Ledger, "domain" | "begin" | "end" | "leftNothing" | "clear">,
  build: (name: NextName) => RequestItem[],
): Promise<ResponseItem[]> {
  const id = `${ledger.domain}/${crypto.randomUUID()}`;
  let objects = 0;
  const items = build(() => named(transientName(id, objects++)));
  const batch = { id, objects };
  ledger.begin(batch);
  try {
    const apart = { batchErrorContinuationOption: "Continue", batchOrderOption: true } as const;
    let hasWaited = false;
    const sent = hsm.batch(items, apart, () => {
      // For others (`Hsm.together`), and perhaps for longer than what is under way is left alone.
      if (hasWaited) ledger.begin(batch);
    });
    hasWaited = true;
    const answers = await sent;
    check(items, answers);
    if (hsm.leavesNothing) ledger.leftNothing(batch);
    else ledger.end(batch);
    return answers;
  } catch (error) {
    await ledger.clear(batch);
    throw error;
  }
}

function check(items: RequestItem[], answers: ResponseItem[]): void {
  if (answers.length !== items.length) throw new KmipError("InvalidMessage", "The HSM left items out");
  for (const [index, { operation }] of items.entries()) {
    const answer = answers[index];
    if (answer?.resultStatus !== "Success") {
      throw new KmipError(answer?.resultReason ?? "GeneralFailure", undefined, operation);
    }
    if (answer.operation !== operation)
      throw new KmipError("InvalidMessage", "The HSM answered another operation");
  }
}
