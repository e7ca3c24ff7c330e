/**
 * edge/kms/loading: the ways in which a data key comes to an instance, one file a way; what all of them ask (whose key,
 * to be released to whom) is decided twice, before the HSM works and after. May import: protocol, edge/*.ts, edge/hsm,
 * edge/kms, types of edge/iam, types of edge/ra. Imported by the KMS's object of an account. The other end is protocol/keys/loading.
 */
import type { Edk, Load, LoadOf, RequestOf, Way } from "#protocol/keys/index.ts";
import type { Caller } from "../../caller.ts";
import type { Result } from "../../result.ts";
import type { Door } from "../context.ts";
import { rewrap } from "./rewrap.ts";

const WAYS: {
  [W in Way]: (door: Door, caller: Caller, request: RequestOf<W>, edk: Edk) => Promise<Result<LoadOf<W>>>;
} = { rewrap };

/** The key of `edk`, which is verified, as the way that was asked for brings it, or a refusal, which the way has recorded. */
export function load<W extends Way>(
  door: Door,
  caller: Caller,
  request: RequestOf<W>,
  edk: Edk,
): Promise<Result<Load>> {
  return WAYS[request.way as W](door, caller, request, edk);
}
