import type { TrustList } from "#protocol/keys/index.ts";
import type { Subtle } from "../crypto.ts";
import type { InstanceRecord } from "../store.ts";

/** Who loads: an enrolled instance. `now`: milliseconds since 1970. */
export type Loader = { subtle: Subtle; instance: InstanceRecord; trust: TrustList; now: number };
