import { WorkerEntrypoint } from "cloudflare:workers";
import { decodeBase64url } from "#protocol/base64url.ts";
import type { PasskeyRegistration, Redemption, Renewal } from "#protocol/contract/index.ts";
import type { Passkey } from "#protocol/evidence/index.ts";
import { instanceCustodian, parseCertificate } from "#protocol/pki/index.ts";
import type { Caller } from "../caller.ts";
import type { Person } from "../person.ts";
import { fail, type Result } from "../result.ts";
import { principalOf } from "../secret.ts";
import { methodsFor } from "./methods/index.ts";
import type { PasskeyListed, PasskeyOpened } from "./passkeys.ts";
import { FIRST_LIST } from "./revocations.ts";
import type {
  Applicant,
  AttestationOpened,
  AttestationRequest,
  Enrolment,
  EnrolmentOpened,
  GrantIssued,
  Instance,
  Published,
  SecretZeroIssued,
  SecretZeroRequest,
  UserInstance,
} from "./types.ts";

/** What the door needs of its neighbours. */
interface Neighbours {
  /** A token holds for a while after a sign-out: whether the sign-in lives. */
  IAM: {
    signedIn(caller: Caller): Promise<Result<Person>>;
    administrator(caller: Caller, resource: string): Promise<Result<null>>;
  };
}

/**
 * The door of the registration authority for the gateway. The gateway has verified access token and DPoP proof (for `Caller`) or the
 * vault's cookie, where there is one (for `Applicant`); everything else is decided
 * in the object of the principal whom it is about.
 */
export class Ra extends WorkerEntrypoint<Env> {
  /** `POST /ra/grants` (M3, M5). */
  async grant(caller: Caller): Promise<Result<GrantIssued>> {
    return this.#principal(caller.tenant, caller.user).grant(caller);
  }

  /** `POST /ra/secret-zeros` (M2, M5). */
  async secretZero(caller: Caller, request: SecretZeroRequest): Promise<Result<SecretZeroIssued>> {
    return this.#principal(caller.tenant, caller.user).secretZero(caller, request);
  }

  /** `POST /ra/attestations` (M1, M5). */
  async attestation(caller: Caller, request: AttestationRequest): Promise<Result<AttestationOpened>> {
    return this.#principal(caller.tenant, caller.user).attestation(caller, request);
  }

  /** `POST /ra/enrolments`, on the vault's origin. Without a cookie it is `principal` whose object is asked, which expects somebody or not. */
  async openEnrolment(by: Applicant, principal?: string): Promise<Result<EnrolmentOpened>> {
    if (methodsFor(by).length === 0) return fail("no-session");
    const at = by.user ?? principal;
    if (at === undefined) return fail("no-session");
    const opened = await this.#principal(by.tenant, at).openEnrolment(asked(by, at));
    return opened ?? this.#principal(by.tenant, null).stranger(by);
  }

  /**
   * `POST /ra/enrolments/{id}`, on the vault's origin. It is the applicant's own object that is asked, whatever the id: what is
   * presented is used up with the attempt, in whatever session. Without a cookie the id says whose object has the session.
   */
  async redeemEnrolment(by: Applicant, id: string, request: Redemption): Promise<Result<Enrolment>> {
    if (methodsFor(by).length === 0) return fail("no-session");
    const at = by.user ?? principalOf(id);
    if (at === null) return fail("no-session");
    const redeemed = await this.#principal(by.tenant, at).redeemEnrolment(asked(by, at), id, request);
    return redeemed ?? this.#principal(by.tenant, null).stranger(by);
  }

  /** `POST /ra/renewals`, on the vault's origin. Whom the certificate names is asked; whether it is one of theirs, they know. */
  async renew(by: Applicant, request: Renewal): Promise<Result<Enrolment>> {
    const user = userIn(request.identityCertificate);
    if (user === null) return fail("invalid-certificate");
    const renewed = await this.#principal(by.tenant, user).renew(by, request);
    return renewed ?? this.#principal(by.tenant, null).stranger(by);
  }

  /** `GET /ra/revocations/{list}`, on the vault's origin, for anyone: which certificates of the tenant's instances are revoked. Null: that of earlier releases. */
  async revocationList({
    tenant,
    list,
  }: {
    tenant: string;
    list: number | null;
  }): Promise<Result<Published>> {
    return this.env.RA_REVOCATIONS_OBJECT.getByName(`${tenant}/revocations`).published(list ?? FIRST_LIST);
  }

  /** The caller's own instances, newest first. */
  async instances(caller: Caller): Promise<Result<Instance[]>> {
    const signedIn = await this.#iam.signedIn(caller);
    return signedIn.ok ? this.#principal(caller.tenant, caller.user).instances(caller) : signedIn;
  }

  /** Ends an instance of the caller. */
  async revoke(caller: Caller, id: string): Promise<Result<void>> {
    const signedIn = await this.#iam.signedIn(caller);
    return signedIn.ok ? this.#principal(caller.tenant, caller.user).revoke(caller, id) : signedIn;
  }

  /** Instances of any user of the tenant, for its admins. Errors: `invalid-token`, `forbidden`. */
  async userInstances(caller: Caller, user: string): Promise<Result<UserInstance[]>> {
    const admin = await this.#iam.administrator(caller, `user/${user}/instances`);
    return admin.ok ? this.#principal(caller.tenant, user).userInstances(caller) : admin;
  }

  /** Ends one of them. Errors: `invalid-token`, `forbidden`, `not-found`. */
  async revokeOfUser(caller: Caller, user: string, id: string): Promise<Result<void>> {
    const admin = await this.#iam.administrator(caller, `user/${user}/instances`);
    return admin.ok ? this.#principal(caller.tenant, user).revokeOfUser(caller, id) : admin;
  }

  get #iam(): Neighbours["IAM"] {
    return this.env.IAM_FOR_RA;
  }

  /** `POST /ra/passkeys/challenges`, on the vault's origin. */
  async openPasskey(by: Applicant & { user: string }): Promise<Result<PasskeyOpened>> {
    return this.#principal(by.tenant, by.user).openPasskey(by);
  }

  /** `POST /ra/passkeys`, on the vault's origin. */
  async registerPasskey(
    by: Applicant & { user: string },
    request: PasskeyRegistration,
  ): Promise<Result<Pick<Passkey, "id" | "tier">>> {
    return this.#principal(by.tenant, by.user).registerPasskey(by, request);
  }

  /** The caller's own passkeys, newest first. */
  async passkeys(caller: Caller): Promise<Result<PasskeyListed[]>> {
    const signedIn = await this.#iam.signedIn(caller);
    return signedIn.ok ? this.#principal(caller.tenant, caller.user).passkeys(caller) : signedIn;
  }

  /** Ends a passkey of the caller. */
  async removePasskey(caller: Caller, id: string): Promise<Result<null>> {
    const signedIn = await this.#iam.signedIn(caller);
    return signedIn.ok ? this.#principal(caller.tenant, caller.user).removePasskey(caller, id) : signedIn;
  }

  /** With null, that of all who did not sign in. */
  #principal(tenant: string, principal: string | null) {
    return this.env.RA_PRINCIPAL_OBJECT.getByName(`${tenant}/${principal ?? "nobody"}`);
  }
}

/** The user in the name of the custodian whom an instance's certificate names; null where it names none. Nothing is verified yet. */
function userIn(certificate: string): string | null {
  try {
    const named = instanceCustodian(parseCertificate(decodeBase64url(certificate)));
    return /^CN=([a-z0-9-]{1,64}),OU=/.exec(named)?.[1] ?? null;
  } catch {
    return null;
  }
}

/** Who has no cookie asks another's object. */
function asked(by: Applicant, principal: string): Applicant {
  return by.user === null ? { ...by, principal } : by;
}
