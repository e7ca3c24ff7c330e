import { decodeBase64url } from "#protocol/base64url.ts";
import {
  type Appraisal,
  type Claims,
  type Expectation,
  type PlatformSecret,
  tierOf,
  verifyEvidence,
} from "#protocol/evidence/index.ts";
import { type Policy, referencesOf, rootsOf } from "./policy.ts";

export type Presented = {
  /** Media type. */
  type: string;
  evidence: Uint8Array;
  nonce: Uint8Array;
  /** Whom the evidence must be for (`enrolmentSubject`). */
  subject: string;
} & Pick<Expectation, "passkeys" | "frame">;

/**
 * Holds evidence against a policy. `now` in milliseconds; `production`: no emulated platform is good. `secrets`: all that the verifier
 * has, of which those count that the policy names.
 */
export async function appraise(
  policy: Policy | undefined,
  { type, evidence, nonce, subject, ...of }: Presented,
  {
    now,
    production,
    secrets = [],
  }: { now: number; production: boolean; secrets?: readonly PlatformSecret[] },
): Promise<Appraisal> {
  if (policy === undefined) return { ok: false, policy: "none", reason: "no evidence is taken here" };
  const { id, accept, floor = 1 } = policy;
  const refused = (reason: string): Appraisal => ({ ok: false, policy: id, reason });
  const accepted = accept.find((one) => one.type === type);
  const highest = tierOf(type);
  if (accepted === undefined || highest === undefined) return refused("not an accepted type");
  const { keys = [], platforms = [], revoked = [], debug = false, minVersion } = accepted;
  const expected = {
    ...{ roots: rootsOf(accepted), keys: keys.map((key) => decodeBase64url(key)), revoked, debug },
    ...(minVersion !== undefined && { minVersion }),
    secrets: secrets.filter(({ name }) => platforms.includes(name)),
    ...{ nonce, subject, now, production },
    ...{ passkeys: of.passkeys ?? [], ...(of.frame && { frame: of.frame }) },
  };
  let claims: Claims;
  let references: Policy["references"];
  try {
    references = await referencesOf(policy);
  } catch {
    return refused("a release in the policy is not signed by its key");
  }
  try {
    claims = await verifyEvidence(type, evidence, expected);
  } catch (error) {
    return refused(error instanceof Error ? error.message : "not evidence");
  }
  const { measurements, tier = highest } = claims;
  const release = references
    .filter((one) => Object.entries(one.measurements).every(([name, value]) => measurements[name] === value))
    .map((one) => one.release)
    .toSorted((a, b) => b - a)[0];
  if (release === undefined) return refused("what runs is no release that is known here");
  if (!(release >= floor)) return refused(`release ${release} is older than ${floor}`);
  return { ok: true, policy: id, tier, measurements };
}
