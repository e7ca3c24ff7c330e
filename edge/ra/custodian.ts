/** Who may have a grant (M3, M5). A flat list of guards. */

import type { Caller } from "../caller.ts";
import type { Custodian } from "../iam/types.ts";
import { type Decision, ok, type Result, refuse } from "../result.ts";

export type Standing = {
  /** What the IAM knows of the custodian. */
  registered: Result<Custodian>;
  /** What became of verifying its certificate (`verifyCustodianCertificate`). */
  certificate: Decision<void>;
  /** What the KMS knows of the tenant's master key. */
  master: Result<boolean>;
  /** Origins of the apps of this deployment. */
  apps: readonly string[];
  /** Seconds since 1970. */
  now: number;
};

/** A registered custodian with a valid certificate, at its own origin, whose tenant has a master key. */
export function checkStanding(
  caller: Caller,
  { registered, certificate, master, apps, now }: Standing,
): Decision<void> {
  if (!registered.ok) return refuse("forbidden", "custodian is not registered");
  const { tenant, user, client, dn, jkt, origin, notAfter } = registered.value;
  if (tenant !== caller.tenant || user !== caller.user) return refuse("forbidden", "custodian is another's");
  if (dn !== caller.custodian || client !== caller.client)
    return refuse("forbidden", "custodian is another one");
  if (jkt !== caller.jkt) return refuse("forbidden", "certificate is for another key");
  if (!(now < notAfter)) return refuse("forbidden", "custodian's certificate has expired");
  if (!certificate.ok) return certificate;
  if (origin !== caller.origin || !apps.includes(origin))
    return refuse("foreign-origin", "not this app's origin");
  if (!master.ok) return { ...master, reason: "master key cannot be looked up" };
  if (!master.value) return refuse("forbidden", "tenant has no master key");
  return ok(undefined);
}
