/** An instance that asks for itself (levels `account` and `master`): what is known of it, and what it has to be. */

import type { MethodName } from "#protocol/enrolment.ts";
import type { AppKeys } from "#protocol/hierarchy/index.ts";
import type { Level } from "#protocol/level.ts";
import type { Tier } from "#protocol/policy/index.ts";
import type { SecondLayer } from "#protocol/second-layer.ts";
import type { InstanceCaller } from "./caller.ts";
import { type Decision, ok, type Result, refuse } from "./result.ts";

/** Registers of a measurement by number, in lower-case hexadecimal. */
export type Registers = Readonly<Record<string, string>>;

/** What enrolment has shown of an instance, for policies. */
export type InstanceFacts = {
  method: MethodName;
  tier: Tier;
  /** That attestation verified; none where no evidence was shown, or that has none. */
  registers?: Registers | null;
};

/** An instance as the registration authority has it. */
export type Enrolled = {
  instance: string;
  user: string;
  custodian: string;
  client: string;
  /** Thumbprint of the DPoP key of the custodian whom it serves. */
  jkt: string;
  /** Of that custodian's app. */
  origin: string;
  level: Level;
  /** What its tenant has encrypted once more under the master key (W14). */
  secondLayer?: SecondLayer;
  /** What its tenant wants as app-specific key; an RSA pair where nothing is said. */
  appKeys?: AppKeys;
  /** Thumbprint of its identity key; SHA-256 of its two certificates, base64url. */
  identityKey: string;
  identityCertificate: string;
  wrappingCertificate: string;
  /** Unique identifier of its wrapping key at the HSM. */
  hsmKey: string;
  /** The same of its ML-KEM key, which stands for both keys of a hybrid recipient; null where it is none. */
  hybridKey: string | null;
  /** Seconds since 1970. */
  notAfter: number;
  status: "active" | "revoked" | "expired";
} & InstanceFacts;

/** That of it alone. */
export function instanceFacts({ method, tier, registers = null }: InstanceFacts): InstanceFacts {
  return { method, tier, registers };
}

/** Levels at which the ladder runs in the instance. */
export const LADDER: readonly Level[] = ["account", "master"];

/** Whether it lives, is the one that the token names, and may do what is for these levels. Call it inside `authorize()`. */
export function checkInstance(
  caller: InstanceCaller,
  found: Result<Enrolled>,
  levels: readonly Level[],
): Decision<Enrolled> {
  if (!found.ok) return refuse(found.problem.code, "the registration authority knows no such instance");
  const { status, level } = found.value;
  if (status !== "active") return refuse("not-recipient", `instance is ${status}`);
  for (const name of ["user", "custodian", "client", "jkt", "origin"] as const)
    if (found.value[name] !== caller[name])
      return refuse("foreign-custodian", `instance is of another ${name}`);
  return levels.includes(level) ? ok(found.value) : refuse("forbidden", `instance is at level ${level}`);
}
