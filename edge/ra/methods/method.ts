import type { MethodName } from "#protocol/enrolment.ts";
import type { Tier } from "#protocol/policy/index.ts";
import type { Decision } from "../../result.ts";
import type { InstanceKeys } from "../request.ts";
import type { Applicant, Binding, Evidence, EvidenceResult, Presented } from "../types.ts";

/** One way to show that an instance may enrol (M1, M2, M3): one file a method. */
export interface EnrolmentMethod {
  readonly name: MethodName;
  readonly challenge: Challenge;
  /** Reads a credential that is presented in a session (its id); null for what cannot be one. Looks at no state. */
  prepare(credential: string, session: string): Promise<Credential | null>;
}

/** What an enrolment session has to be for a method. */
export type Challenge = {
  /** Bytes of the nonce that the session gives, which request and credential answer. */
  readonly nonce: number;
  /** Whether it is the vault's cookie that says who opens and redeems it: for a credential that passes through a browser. */
  readonly signedIn: boolean;
};

export interface Credential {
  /** In the transaction of the decision: takes it out of use, whatever follows. Refuses with a reason for the audit log. */
  consume(sql: SqlStorage, by: Applicant, now: number): Decision<Verification>;
}

/** What is left to do once nothing can be presented again: it may take time and ask others. `now` in seconds. */
export type Verification = (shown: {
  nonce: Uint8Array;
  keys: InstanceKeys;
  /** What the certificate request has of it. */
  evidence: Evidence | null;
  /** Asks the verifier. Rejects with an `Error`, whose message is for the audit log, where there is no result to believe. */
  appraise(presented: Presented): Promise<EvidenceResult>;
  now: number;
}) => Promise<Decision<Admission>>;

/** Whom the instance will serve, and what its certificates say of how far it can be trusted. */
export type Admission = {
  binding: Binding;
  tier: Tier;
  /** What evidence has shown, by name. */
  measurements?: Readonly<Record<string, string>>;
};
