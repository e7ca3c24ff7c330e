import type { Edk } from "../edk.ts";
import type { Receipt } from "../receipt.ts";
import type { TrustList } from "../trust.ts";
import type { Wrapped } from "./wrapping.ts";

/** Who verifies. `recipient`: SHA-256 of the instance's own wrapping certificate, base64url; `now` in seconds. */
export type Verifier = { trust: TrustList; recipient: string; now: number };

/** What is loaded, once it is known whose it is and that it was released to this instance. */
export type Verified = Wrapped & { edk: Edk; receipt: Receipt };
