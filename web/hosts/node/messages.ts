/**
 * What a launched microservice and the process that launched it say to each other over the channel between them. No key
 * passes: what passes is what a custodian may see, and what a platform signs.
 */

import type { Tier } from "#protocol/policy/index.ts";
import type { Attested } from "../../microservice/index.ts";

/** Evidence, and the media type of its form. */
export type Evidence = { type: string; evidence: Uint8Array };

export type ToMicroservice =
  /** Once: whom it serves. `cookie`: the vault's, for a grant alone. `measurement`: of the code, by who started it. */
  | {
      type: "start";
      vault: string;
      origin: string;
      custodian: string;
      measurement: string;
      cookie?: string;
    }
  /** A message of the custodian's port. */
  | { type: "port"; message: unknown }
  /** What the platform answers; null where there is none. */
  | { type: "evidence"; id: number; evidence: Evidence | null }
  | { type: "environment"; id: number; environment: Tier }
  | { type: "attested-key"; id: number; document: Uint8Array | null };

export type FromMicroservice =
  | { type: "port"; message: unknown }
  | { type: "attest"; id: number; asked: Attested }
  /** A document that names this key; null is answered where the platform makes none. */
  | { type: "attest-key"; id: number; spki: Uint8Array<ArrayBuffer> }
  /** Whether there is a platform. */
  | { type: "environment"; id: number };
