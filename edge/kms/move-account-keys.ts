/** W12: account keys go from a master key to its successor, which the officer has made; data keys and documents stay as they are. */

import { authorize } from "../authorize.ts";
import { failureOf, UnexpectedAnswer } from "../hsm/index.ts";
import type { AccountKey } from "../iam/types.ts";
import { ok, type Result, refuse } from "../result.ts";
import { moveAccountKey } from "./account-keys.ts";
import { type Context, failed } from "./context.ts";
import { currentMasterKey, masterNamed } from "./master-key.ts";
import { checkLives } from "./shred.ts";

export type MovedKey = Omit<AccountKey, "version">;

/** Rotations that one account may have slept through. */
const MAX_HOPS = 16;

/**
 * Those of the keys that can be moved, each under the tenant's current master key. The HSM lets a key go to the direct successor
 * alone: it goes step by step.
 */
export async function moveAccountKeys(
  kms: Context,
  of: { account: string; requestId: string; keys: MovedKey[] },
): Promise<Result<MovedKey[]>> {
  const { store, hsm } = kms;
  const about = { caller: null, resource: `account/${of.account}`, requestId: of.requestId };
  const decision = authorize<null>(store, { action: "kms:move-account-keys", ...about }, checkLives);
  if (!decision.ok) return decision;
  try {
    const current = await currentMasterKey(hsm, store.tenant);
    if (current === null) {
      const none = () => refuse("hsm-refused", "the tenant has no master key");
      return authorize<never>(store, { action: "kms:move-account-keys", ...about }, none);
    }
    const moved: MovedKey[] = [];
    const stuck: unknown[] = [];
    for (const key of of.keys)
      await moveTo(kms, key, current.key).then(
        (one) => moved.push(one),
        (error: unknown) => {
          // One that cannot move, as its master key was destroyed, keeps no other from it. An HSM that is away moves none.
          if (failureOf(error).code !== "hsm-refused") throw error;
          stuck.push(error);
        },
      );
    const refused = stuck.length > 0 ? failed(kms, "kms:move-at-hsm", about, stuck[0]) : undefined;
    return moved.length > 0 || refused === undefined ? ok(moved) : refused;
  } catch (error) {
    return failed(kms, "kms:move-at-hsm", about, error);
  }
}

async function moveTo(kms: Context, key: MovedKey, current: string): Promise<MovedKey> {
  let moved = key;
  for (let hop = 0; moved.master !== current; hop++) {
    if (hop === MAX_HOPS) throw new UnexpectedAnswer("the master key has no way to the current one");
    // A server that keeps no such link takes the way to the current one, or refuses it.
    const successor = (await successorOf(kms, moved.master)) ?? current;
    const wrapped = await moveAccountKey(kms, moved, await masterNamed(kms.hsm, successor));
    moved = { ...moved, wrapped, master: successor };
  }
  return moved;
}

/** KMIP 2.1 §4.31 Link: the key that has replaced this one. */
async function successorOf({ hsm }: Pick<Context, "hsm">, master: string): Promise<string | null> {
  const { attributes } = await hsm.request("GetAttributes", {
    uniqueIdentifier: master,
    attributeReference: ["link"],
  });
  const link = attributes.link?.find(({ linkType }) => linkType === "ReplacementObjectLink");
  const successor = link?.linkedObjectIdentifier;
  return typeof successor === "string" ? successor : null;
}
