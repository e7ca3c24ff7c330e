import { KmipError } from "#protocol/kmip/index.ts";
import type { Handler } from "./handler.ts";
import type { Operation } from "./operation.ts";

const MAX_RANDOM_BYTES = 1024 * 1024;

/** RNG Retrieve (KMIP 2.1 §6.1.49): random bytes; from iam and kms, what becomes of them is no key of the hierarchy. */
const rngRetrieve: Handler<"RNGRetrieve"> = ({ dataLength }, { random }) => {
  if (dataLength < 1 || dataLength > MAX_RANDOM_BYTES) throw new KmipError("InvalidField", "Not a length");
  return { data: random(dataLength) };
};

/** RNG Seed (KMIP 2.1 §6.1.50): mixed in as a whole or in part, ignored or refused, as the server is set up; the answer says how much was taken. */
const rngSeed: Handler<"RNGSeed"> = ({ data }, { seeding, seed }) => {
  if (seeding === "refused") throw new KmipError("PermissionDenied", "Seeds are not taken here");
  if (seeding === "ignored") return { dataLength: 0 };
  const taken = seeding === "partial" ? data.subarray(0, data.length >> 1) : data;
  seed(taken);
  return { dataLength: taken.length };
};

export const RNGRetrieve: Operation<"RNGRetrieve"> = {
  handler: rngRetrieve,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: ["iam", "kms"],
  ticket: "none",
  policyName: undefined,
  shared: false,
};

export const RNGSeed: Operation<"RNGSeed"> = {
  handler: rngSeed,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: undefined,
  shared: false,
};
