/** What the KMS gives a back end, and what it gets: the same for each. */

import type { AccountEdk, Edk } from "#protocol/keys/index.ts";
import { type BackEnd, BackEndRefused } from "../../hsm/index.ts";
import type { AccountKey } from "../../iam/types.ts";
import type { Version } from "../account-data-keys.ts";
import type { To, Under } from "../loading/rewrap-batch.ts";

/** Data keys for an account, a version of a key each. `held`: to live in the back end, as it has said that they do. */
export type DataKeyOrder = {
  account: string;
  accountKey: AccountKey;
  keys: readonly Version[];
  held: boolean;
};
/** A data key as its verified EDK has it, or as the HSM has kept it, and what that is under. */
export type DataKeyToRelease = { edk: Edk; under: Under; wrappedDataKey: Uint8Array<ArrayBuffer> };

/** What an instance shows of its platform. `spki`: the key of its registered certificate, DER, which the document has to name. */
export type Attested = { document: Uint8Array<ArrayBuffer>; spki: Uint8Array<ArrayBuffer> };
export type Recipient = To & { attested?: Attested | undefined };

/** `wrapping`: one that the EDK says. */
export type DataKeyBackEnd = BackEnd<DataKeyOrder, DataKeyToRelease, Recipient, AccountEdk["wrapping"]> & {
  /** Whether it is the HSM that the KMS works with: keys that are retained, that sign, of a seed and of the tenant itself are made there alone. */
  inHsm: boolean;
  /** That HSM, where it is another one. */
  beside?: Pick<DataKeyBackEnd, "standing">;
};

/** Throws `BackEndRefused` for a tenant whose keys are kept by something else. */
export function requireHsm({ inHsm }: Pick<DataKeyBackEnd, "inHsm">): void {
  if (!inHsm) throw new BackEndRefused("such keys are made in the HSM, and the tenant's are kept elsewhere");
}
