/** Digests and random bytes of the HSM (M16), for a tenant whose officer has allowed operations. No key has a part in them. */

import type { RequestItem } from "#protocol/kmip/index.ts";
import { MAX_DATA, MAX_RANDOM } from "#protocol/operations/index.ts";
import { authorize } from "../../authorize.ts";
import type { Caller } from "../../caller.ts";
import { UnexpectedAnswer } from "../../hsm/index.ts";
import { ok, type Result, refuse } from "../../result.ts";
import { type Context, type Door, failed, noMember } from "../context.ts";
import { requireMasterKey } from "../master-key.ts";
import { isAllowed, readAllowed } from "./allowed.ts";
import type { OperationPace } from "./pace.ts";

const HASHES = { "SHA-256": "SHA_256", "SHA-384": "SHA_384", "SHA-512": "SHA_512" } as const;

export type WithoutKey =
  | { operation: "hash"; algorithm: keyof typeof HASHES; data: Uint8Array<ArrayBuffer> }
  | { operation: "random"; length: number };

/** Errors: `forbidden`, `too-many-requests`, `hsm-refused`, `hsm-unavailable`. */
export async function operateWithoutKey(
  { neighbours, enter, refuse: turnAway }: Door,
  pace: OperationPace,
  caller: Caller,
  asked: WithoutKey,
): Promise<Result<Uint8Array<ArrayBuffer>>> {
  const about = { caller, resource: asked.operation, requestId: caller.requestId };
  const action = `kms:${asked.operation}`;
  const signedIn = await neighbours.IAM.signedIn(caller);
  if (!signedIn.ok) return turnAway({ action, ...about }, noMember(signedIn.problem));
  const kms = await enter();
  const decision = authorize<null>(kms.store, { action, ...about }, () => {
    const isBounded =
      asked.operation === "random" ? asked.length <= MAX_RANDOM : asked.data.length <= MAX_DATA;
    return isBounded ? pace.take(Date.now() / 1000) : refuse("too-large", "more than one piece");
  });
  if (!decision.ok) return decision;
  try {
    const bytes = await atHsm(kms, asked);
    if (bytes !== undefined) return ok(bytes);
    return authorize<never>(kms.store, { action: `${action}-at-hsm`, ...about }, () =>
      refuse("forbidden", "the officer has not allowed operations for this tenant"),
    );
  } catch (error) {
    return failed(kms, `${action}-at-hsm`, about, error);
  }
}

/** Undefined where operations are not allowed. Throws what the HSM throws. */
async function atHsm({ hsm, store }: Context, asked: WithoutKey) {
  const { key } = await requireMasterKey(hsm, store.tenant);
  const [answer, done] = await hsm.batch([readAllowed(key), itemOf(asked)]);
  if (!isAllowed(answer)) return undefined;
  const data =
    done?.operation === "Hash" || done?.operation === "RNGRetrieve" ? done.payload?.data : undefined;
  if (!data || (asked.operation === "random" && data.length !== asked.length))
    throw new UnexpectedAnswer("the HSM gave nothing");
  return new Uint8Array(data);
}

function itemOf(asked: WithoutKey): RequestItem {
  if (asked.operation === "random")
    return { operation: "RNGRetrieve", payload: { dataLength: asked.length } };
  const { algorithm, data } = asked;
  return {
    operation: "Hash",
    payload: { cryptographicParameters: { hashingAlgorithm: HASHES[algorithm] }, data },
  };
}
