/** A tenant's accounts are kept in parts, so that no object has them all: which has an account, and what all of them say together. */

import { utf8 } from "#protocol/bytes.ts";
import { ok, type Result } from "../../result.ts";
import { PARTS, type Progress, partName } from "./accounts.ts";
import type { KmsRotationObject } from "./object.ts";

export type Rotation = Progress;
type Namespace = DurableObjectNamespace<KmsRotationObject>;

/** The object that has this account. */
export async function partOf(objects: Namespace, tenant: string, account: string) {
  const hash = new DataView(await crypto.subtle.digest("SHA-256", utf8(account)));
  return part(objects, tenant, hash.getUint32(0) % PARTS);
}

/** Begins the rotation to this master key in all parts; again, it tries what has failed. */
export async function beginRotation(
  objects: Namespace,
  of: { tenant: string; master: string; requestId: string },
): Promise<Result<Rotation>> {
  return together(await Promise.all(parts(objects, of.tenant).map((one) => one.begin(of))));
}

export async function readRotation(objects: Namespace, tenant: string): Promise<Result<Rotation>> {
  return together(await Promise.all(parts(objects, tenant).map((one) => one.progress())));
}

function parts(objects: Namespace, tenant: string) {
  return Array.from({ length: PARTS }, (_, number) => part(objects, tenant, number));
}

function part(objects: Namespace, tenant: string, number: number) {
  return objects.getByName(`${tenant}/${partName(number)}`);
}

/** Parts that speak of different master keys are not at the same rotation yet: then nothing counts as moved. */
function together(answers: Result<Progress>[]): Result<Rotation> {
  const sum: Rotation = { master: null, all: 0, moved: 0, failed: 0 };
  const masters = new Set<string | null>();
  for (const answer of answers) {
    if (!answer.ok) return answer;
    const { master, all, moved, failed } = answer.value;
    masters.add(master);
    sum.all += all;
    sum.moved += moved;
    sum.failed += failed;
  }
  const [master = null] = masters.size === 1 ? masters : [];
  return ok(master === null ? { ...sum, moved: 0 } : { ...sum, master });
}
