/**
 * edge/ra/methods: the ways to show that an instance may enrol (M1, M2, M3), one file a method behind `EnrolmentMethod`.
 * May import: protocol/*.ts, types of protocol/policy, edge/*.ts, types of edge/ra. Imported by edge/ra.
 */
import type { MethodName } from "#protocol/enrolment.ts";
import type { Applicant } from "../types.ts";
import { attestationMethod } from "./attestation.ts";
import { grantMethod } from "./grant.ts";
import type { EnrolmentMethod } from "./method.ts";
import { secretZeroMethod } from "./secret-zero.ts";

export { attestationMethod, opened as attestationOpened, storeAttestation } from "./attestation.ts";
export { anyOpen, type Exposed, useUp } from "./exposed.ts";
export { DEFAULT_PER_MINUTE, GRANT_SECONDS, makeGrant, storeGrant } from "./grant.ts";
export type { Admission, EnrolmentMethod, Verification } from "./method.ts";
export { expectsSecretZero, makeSecretZero, SECRET_ZERO_SECONDS, storeSecretZero } from "./secret-zero.ts";

const METHODS: { readonly [M in MethodName]: EnrolmentMethod & { readonly name: M } } = {
  attestation: attestationMethod,
  grant: grantMethod,
  "secret-zero": secretZeroMethod,
};

/** The methods by which this applicant may enrol. None means that nobody may open a session without signing in. */
export function methodsFor(
  { user }: Pick<Applicant, "user">,
  methods: readonly EnrolmentMethod[] = Object.values(METHODS),
): EnrolmentMethod[] {
  return methods.filter(({ challenge }) => user !== null || !challenge.signedIn);
}
