/** When the key that a tenant's master key has replaced goes out of use (W12): a date at the HSM, which keeps to it by itself. */

import type { KmipClient } from "#protocol/kmip/index.ts";
import { currentMasterKey, replacedKey } from "./master-key.ts";

/** KMIP lets nobody take a Deactivation Date away (KMIP 2.1, Deactivation Date: not deletable by client): one that is not meant is put off so far. Milliseconds. */
const NEVER_MS = 100 * 365 * 86_400_000;
/** What ends later than any schedule goes is not scheduled. Milliseconds. */
const LONGEST_MS = 366 * 86_400_000;

/** `ends`: from when on nothing can be done with the key; undefined where that is not scheduled. `live`: it has not come yet. */
export type Retirement = { replaced: string; live: boolean; ends: Date | undefined };

/** What is left of the key that was replaced; undefined where nothing is. Throws `NoMasterKey`. */
export async function retirementOf(
  hsm: KmipClient,
  tenant: string,
  now: Date,
): Promise<Retirement | undefined> {
  const before = await replacedKey(hsm, await currentMasterKey(hsm, tenant));
  if (before === undefined) return undefined;
  const ends = await deactivation(hsm, before.uid);
  const scheduled = ends !== undefined && ends.getTime() < now.getTime() + LONGEST_MS;
  return { replaced: before.uid, live: before.live, ends: scheduled ? ends : undefined };
}

/**
 * Has the HSM take it out of use at `ends`; one that was scheduled before keeps its time. Until then everything is as it was, and `keepReplaced`
 * cancels it; afterwards `retireMasterKey` destroys it. Undefined where there is none left. Throws `NoMasterKey`.
 */
export async function scheduleRetirement(
  hsm: KmipClient,
  tenant: string,
  ends: Date,
  now: Date,
): Promise<Retirement | undefined> {
  const before = await retirementOf(hsm, tenant, now);
  if (before === undefined || !before.live || before.ends !== undefined) return before;
  await setDeactivation(hsm, before.replaced, ends);
  return { ...before, ends };
}

/** Kept after all, as long as its time has not come. Undefined where there is none left. Throws `NoMasterKey`. */
export async function keepReplaced(
  hsm: KmipClient,
  tenant: string,
  now: Date,
): Promise<Retirement | undefined> {
  const before = await retirementOf(hsm, tenant, now);
  if (before === undefined || !before.live || before.ends === undefined) return before;
  await setDeactivation(hsm, before.replaced, new Date(now.getTime() + NEVER_MS));
  return { ...before, ends: undefined };
}

async function deactivation(hsm: KmipClient, uniqueIdentifier: string): Promise<Date | undefined> {
  const attributeReference = ["deactivationDate" as const];
  const { attributes } = await hsm.request("GetAttributes", { uniqueIdentifier, attributeReference });
  return attributes.deactivationDate;
}

async function setDeactivation(
  hsm: KmipClient,
  uniqueIdentifier: string,
  deactivationDate: Date,
): Promise<void> {
  const has = (await deactivation(hsm, uniqueIdentifier)) !== undefined;
  const change = { uniqueIdentifier, newAttribute: { deactivationDate } };
  if (has) await hsm.request("ModifyAttribute", change);
  else await hsm.request("AddAttribute", change);
}
