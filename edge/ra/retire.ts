/** What is left at the HSM of instances that have ended. */

import { seconds } from "#protocol/clock.ts";
import { recipientNames } from "#protocol/hierarchy/index.ts";
import { wakeBy } from "../alarm.ts";
import type { Hsm } from "../hsm/index.ts";
import { sweep } from "../hsm/keys/index.ts";
import { instancesToRetire, markRetired, nextRetirement } from "./instances.ts";
import { hybridObjects } from "./recipient.ts";

/** Between two attempts to have the HSM forget a recipient. Milliseconds. */
const AGAIN_MS = 60_000;

/** Has the HSM forget the recipients of instances that ended; asks to be woken for the rest. Call it right after the decision. */
export async function retireEnded(storage: DurableObjectStorage, hsm: Hsm): Promise<void> {
  const { sql } = storage;
  // First, for the HSM takes its time: whatever becomes of this object meanwhile, none of them stays there.
  await wakeForNext(storage);
  for (const id of instancesToRetire(sql, seconds(Date.now()))) {
    await sweep(hsm, namesOf(id)).then(
      () => markRetired(sql, id, seconds(Date.now())),
      () => undefined,
    );
  }
  await wakeForNext(storage);
}

async function wakeForNext(storage: DurableObjectStorage): Promise<void> {
  const next = nextRetirement(storage.sql, seconds(Date.now()));
  if (next !== null) await wakeBy(storage, Math.max(next * 1000, Date.now() + AGAIN_MS));
}

/** What is at the HSM of an instance. The keys first: when they are gone nothing is released any more. */
export function namesOf(instance: string): string[] {
  const { key, certificate } = recipientNames(instance);
  return [key, certificate, ...hybridObjects(instance)];
}
