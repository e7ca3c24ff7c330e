/** An order for data keys, with what it says nothing of. */

import type { DataKeysRequest } from "#protocol/contract/index.ts";
import { DOCUMENT_ALGORITHM, isSignature, type KeyAlgorithm, operationsOf } from "#protocol/keys/index.ts";
import { hasStrayWildcard, isKeyPolicy, type KeyPolicy } from "#protocol/policy/index.ts";
import { type Decision, ok, refuse } from "../result.ts";

/** `metadata`: of the KMS's own, for the list of documents. */
export type DataKeysOrder = DataKeysRequest | MetadataKeyOrder;
type MetadataKeyOrder = {
  count: 1;
  purpose: "metadata";
  account: string;
  custody: "kms";
  policy?: undefined;
  seed?: undefined;
};

export type Order = Pick<DataKeysOrder, "count" | "purpose"> & {
  algorithm: KeyAlgorithm;
  policy: KeyPolicy;
};

/** A policy stands in EDK and receipt, which have 8 KiB. Characters of its JSON. */
const MAX_POLICY = 3072;
/** In an EDK that has a key pair too: up to 3,000 characters of RSA. */
const MAX_POLICY_BESIDE_PAIR = 1024;

/** `custodian`: for whom alone the keys are, where the order names nobody. Without a policy all that their kind can do is allowed. */
export function orderOf(request: DataKeysOrder, custodian?: string): Decision<Order> {
  const { count, purpose } = request;
  const algorithm = "algorithm" in request ? request.algorithm : DOCUMENT_ALGORITHM;
  const own = custodian === undefined ? {} : { principals: [custodian] };
  const policy: KeyPolicy = { ...own, ...(request.policy ?? { operations: [...operationsOf(algorithm)] }) };
  const most = isSignature(algorithm) ? MAX_POLICY_BESIDE_PAIR : MAX_POLICY;
  if (!isKeyPolicy(policy) || JSON.stringify(policy).length > most)
    return refuse("bad-request", "policy is too long");
  if (hasStrayWildcard(policy)) return refuse("bad-request", "a wildcard that is no common name");
  if (request.seed !== undefined && (request.custody !== undefined || request.seed.labels.length !== count))
    return refuse("bad-request", "a key of a seed is one of a label, and nobody keeps it");
  if (request.seed !== undefined && isSignature(algorithm))
    return refuse("bad-request", "no pair comes from a seed");
  return ok({ count, purpose, algorithm, policy });
}
