/**
 * edge/kms/loading: the ways in which a data key comes to an instance, one file a way; what all of them ask (whose key,
 * to be released to whom) is decided twice, before the HSM works and after. May import: protocol, edge/*.ts, edge/hsm,
 * edge/kms, types of edge/iam, types of edge/ra. Imported by the KMS's object of an account. The other end is protocol/keys/loading.
 */
import type { LoadAnswer, LoadRequest, RequestOf } from "#protocol/keys/index.ts";
import type { Caller } from "../../caller.ts";
import { fail, type Result } from "../../result.ts";
import type { Door } from "../context.ts";
import { rewrap } from "./rewrap.ts";
import { rewrapInOne } from "./rewrap-several.ts";
import type { Item } from "./several.ts";

export { type Granted, grantSeveral, LOAD_GRANTS_TABLE } from "./grants.ts";
export { openSeedChannel } from "./open-seed.ts";
export { presentGrant } from "./present.ts";
export { presentSeed } from "./present-seed.ts";
export { checkKey, checkRecipient, type KeyStanding, READING } from "./release.ts";
export { checkAsker, loadNoneRetained, loadRetained } from "./retained.ts";
export type { Under } from "./rewrap-batch.ts";
export { digestOf } from "./rewrap-several.ts";
export type { Item } from "./several.ts";
export { askStanding, askUnder, isUnder } from "./wanted.ts";

const WAYS: {
  [W in LoadRequest["way"]]: (
    door: Door,
    caller: Caller,
    request: RequestOf<W>,
    items: readonly Item[],
  ) => Promise<Result<LoadAnswer>>;
} = {
  rewrap: async (door, caller, request, [item]) =>
    item ? rewrap(door, caller, request, item.edk) : fail("bad-request"),
  several: rewrapInOne,
};

/** The keys of the EDKs, which are verified, as the way that was asked for brings them, or a refusal, which the way has recorded. */
export function load<R extends LoadRequest>(
  door: Door,
  caller: Caller,
  request: R,
  items: readonly Item[],
): Promise<Result<LoadAnswer>> {
  const way = WAYS[request.way] as (typeof WAYS)[R["way"]];
  return way(door, caller, request as RequestOf<R["way"]>, items);
}
