import type { KeyOperation } from "#protocol/policy/index.ts";
import type { PortHandler } from "#protocol/port/index.ts";
import type { Crypto } from "../crypto.ts";
import type { LoadedKey } from "../ring.ts";

/** What the operations work with. */
export type Means = Crypto &
  Pick<PortHandler, "seal" | "open"> & {
    /** The loaded key of an EDK, for an operation that its kind has and its policies allow. Errors: `key-missing`, `forbidden`. */
    key(edk: string, operation: KeyOperation): Promise<Pick<LoadedKey, "key" | "edk">>;
  };
