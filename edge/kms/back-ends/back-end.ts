/** What the KMS gives a back end, and what it gets: the same for each. */

import type { AccountEdk, Edk } from "#protocol/keys/index.ts";
import type { BackEnd } from "../../hsm/index.ts";
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

/** `wrapping`: one that the EDK says. */
export type DataKeyBackEnd = BackEnd<DataKeyOrder, DataKeyToRelease, To, AccountEdk["wrapping"]>;
