import type { Tier } from "#protocol/policy/index.ts";
import type { Decision } from "../../result.ts";
import type { Binding, MethodName, SignedIn } from "../types.ts";

/** One way to show that an instance may enrol (M1, M2, M3): one file a method. */
export interface EnrolmentMethod {
  readonly name: MethodName;
  /** What the certificate says of the instance. */
  readonly tier: Tier;
  /** Hash or parse the credential; null when it cannot be one. Pure: no state is looked at. */
  prepare(credential: string): Promise<Uint8Array | null>;
  /**
   * In a transaction: takes the credential out of use, whatever follows, and answers whom the instance will serve.
   * Refuses with a reason for the audit log.
   */
  consume(sql: SqlStorage, prepared: Uint8Array, by: SignedIn, now: number): Decision<Binding>;
}
