/** Operations in one piece with loaded keys (M17), one file a family. */

import type { CryptoOperations } from "#protocol/operations/index.ts";
import { encryption } from "./encryption.ts";
import { hashing } from "./hash.ts";
import { macs } from "./mac.ts";
import type { Means } from "./means.ts";
import { randomness } from "./random.ts";
import { signatures } from "./signature.ts";

export function cryptoOperations(means: Means): CryptoOperations {
  return {
    ...encryption(means),
    ...macs(means),
    ...signatures(means),
    ...hashing(means),
    ...randomness(means),
  };
}
