import { DurableObject } from "cloudflare:workers";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import type { PasskeyRegistration, ProblemCode, Redemption, Renewal } from "#protocol/contract/index.ts";
import type { Passkey } from "#protocol/evidence/index.ts";
import { CUSTODIANS_CA } from "#protocol/hierarchy/index.ts";
import type { Level } from "#protocol/level.ts";
import { PASSKEY_EVIDENCE } from "#protocol/passkey.ts";
import { wakeBy } from "../alarm.ts";
import { authorize } from "../authorize.ts";
import { configuredBound } from "../bound.ts";
import type { Caller } from "../caller.ts";
import type { Enrolled } from "../enrolled.ts";
import { failureOf, type Hsm, openHsm } from "../hsm/index.ts";
import { type Ledger, openLedger } from "../hsm/keys/index.ts";
import type { Custodian } from "../iam/types.ts";
import { type Outbox, openOutbox } from "../outbox.ts";
import { takeTurn } from "../pace.ts";
import { type Decision, fail, ok, type Result, refuse, turnAway } from "../result.ts";
import { hasStore, openStore, type Store, subjectOf } from "../store.ts";
import { tenantNamed } from "../tenants.ts";
import { appraisalOf, passkeyOf, type VerifierDoor } from "./appraisal.ts";
import { checkStanding } from "./custodian.ts";
import { verifyCustodianCertificate } from "./custodian-certificate.ts";
import { CERTIFICATE_SECONDS, certify } from "./enrol.ts";
import {
  boundUnexpired,
  type EndedInstance,
  endCustodian,
  findEnrolled,
  findRecipient,
  insertInstance,
  listInstances,
  listUserInstances,
  makeRoom,
  noteUse,
  revokeInstance,
} from "./instances.ts";
import {
  anyOpen,
  attestationMethod,
  attestationOpened,
  DEFAULT_PER_MINUTE,
  type Exposed,
  expectsSecretZero,
  GRANT_SECONDS,
  makeGrant,
  makeSecretZero,
  methodsFor,
  SECRET_ZERO_SECONDS,
  storeAttestation,
  storeGrant,
  storeSecretZero,
  useUp,
} from "./methods/index.ts";
import {
  appraised,
  consumeChallenge,
  insertPasskey,
  listed,
  openChallenge,
  type PasskeyListed,
  type PasskeyOpened,
  removePasskey,
} from "./passkeys.ts";
import { prepareRedemption, type Redeemed } from "./redemption.ts";
import { registersOf } from "./registers.ts";
import { keepAnswer, type Renewed, readRenewal, replaceBy, type Taken, takeRenewal } from "./renewal.ts";
import { type InstanceKeys, verifyRequest } from "./request.ts";
import { namesOf, retireEnded } from "./retire.ts";
import { markListed, unlisted } from "./revocations.ts";
import { MIGRATIONS } from "./schema.ts";
import { NOBODY, openSession, waitsForNobody } from "./session.ts";
import type {
  Applicant,
  AttestationOpened,
  AttestationRequest,
  Enrolment,
  EnrolmentOpened,
  GrantIssued,
  Instance,
  Presented,
  Recipient,
  SecretZeroIssued,
  SecretZeroRequest,
  UserInstance,
} from "./types.ts";

/** What the RA needs of its neighbours. */
interface Neighbours {
  IAM: {
    custodian(of: { tenant: string; user: string; dn: string; jkt: string }): Promise<Result<Custodian>>;
  };
  VERIFIER: VerifierDoor;
  KMS: {
    hasMasterKey(of: { tenant: string }): Promise<Result<boolean>>;
    /** Instances of a user were revoked: nothing is kept for them any more. */
    instancesEnded(of: { tenant: string; user: string; instances: string[] }): Promise<Result<null>>;
  };
}

/** An applicant whom the vault's cookie stands for. */
type SignedIn = Applicant & { user: string };
type Opened = { store: Store; ledger: Ledger; outbox: Outbox };

/** How long evidence counts: an instance that has shown it is renewed until then, seconds, unless it is configured. */
const ATTESTED_SECONDS = 7 * 24 * 3600;
/** Live instances of one user, unless configured otherwise: devices, tabs and processes. */
const DEFAULT_INSTANCES = 32;
/** Instances of one user whose certificates have not expired, ended ones too, unless configured otherwise: one a minute for a day, and some. */
const DEFAULT_UNEXPIRED = 1500;

/**
 * One principal, named `<tenant>/<principal>`: all that a person has enrolled, or is about to; those who enrol without signing in
 * have one together. Whom a grant names hears of it, and decides by what it has: where nobody ever enrolled, nothing is kept.
 */
export class RaPrincipalObject extends DurableObject<Env> {
  readonly #hsm: Hsm;
  /** The KMS's HSM, where instances are registered as recipients. */
  readonly #recipients: Hsm;
  readonly #neighbours: Neighbours;
  readonly #maxInstances: number;
  readonly #maxUnexpired: number;
  readonly #enrolmentsPerMinute: number;
  /** Of credentials, seconds. */
  readonly #life: { grant: number; secretZero: number; certificate: number; attested: number };
  /** Ceremonies that wait for the HSM, so that none ends with an instance of a sign-in that has ended meanwhile. */
  readonly #underWay = new Set<{ jkt: string; ended: boolean }>();
  /** Renewals that wait for IAM and HSM, by the instance that is renewed. */
  readonly #renewing = new Map<string, Promise<Result<Enrolment>>>();
  #opened: Opened | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#hsm = openHsm(env.HSM_RA, env.COFFER_HSM_URL_RA || env.COFFER_HSM_URL);
    this.#recipients = openHsm(env.HSM_RECIPIENTS, env.COFFER_HSM_URL);
    this.#neighbours = { IAM: env.IAM_FOR_RA, KMS: env.KMS_FOR_RA, VERIFIER: env.VERIFIER };
    const { COFFER_INSTANCES_PER_USER: instances, COFFER_ENROLMENTS_PER_MINUTE: enrolments } = env;
    this.#maxInstances = configuredBound("COFFER_INSTANCES_PER_USER", instances, DEFAULT_INSTANCES);
    this.#maxUnexpired = configuredBound(
      "COFFER_UNEXPIRED_INSTANCES_PER_USER",
      env.COFFER_UNEXPIRED_INSTANCES_PER_USER,
      DEFAULT_UNEXPIRED,
    );
    this.#enrolmentsPerMinute = configuredBound(
      "COFFER_ENROLMENTS_PER_MINUTE",
      enrolments,
      DEFAULT_PER_MINUTE,
    );
    const { COFFER_GRANT_SECONDS: grant, COFFER_SECRET_ZERO_SECONDS: secretZero } = env;
    this.#life = {
      grant: configuredBound("COFFER_GRANT_SECONDS", grant, GRANT_SECONDS),
      secretZero: configuredBound("COFFER_SECRET_ZERO_SECONDS", secretZero, SECRET_ZERO_SECONDS),
      certificate: configuredBound(
        "COFFER_INSTANCE_SECONDS",
        env.COFFER_INSTANCE_SECONDS,
        CERTIFICATE_SECONDS,
      ),
      attested: configuredBound("COFFER_ATTESTED_SECONDS", env.COFFER_ATTESTED_SECONDS, ATTESTED_SECONDS),
    };
    if (hasStore(ctx)) this.#open();
  }

  /** For whom the caller's token or the vault's cookie has proved to be. */
  #open(): Opened {
    if (this.#opened) return this.#opened;
    const { ctx, env } = this;
    const store = openStore(ctx, { domain: "ra", audit: env.AUDIT_RA, migrations: MIGRATIONS });
    const ledger = openLedger(ctx, this.#recipients, "ra", ({ id }) => namesOf(id));
    const { tenant } = store;
    const outbox = openOutbox<Exposed | EndedInstance>(ctx, (addressee, messages) => {
      const user = addressee.slice(addressee.indexOf("/") + 1);
      if (addressee.startsWith("kms/")) {
        const instances = messages.flatMap((message) => ("instance" in message ? [message.instance] : []));
        return this.#neighbours.KMS.instancesEnded({ tenant, user, instances });
      }
      const exposed = messages.flatMap((message) => ("instance" in message ? [] : [message]));
      return env.RA_PRINCIPAL_OBJECT.getByName(`${tenant}/${user}`).exposed(exposed);
    });
    this.#opened = { store, ledger, outbox };
    return this.#opened;
  }

  /** M3, M5: a grant for a registered custodian with a valid certificate whose tenant has a master key. */
  async grant(caller: Caller): Promise<Result<GrantIssued>> {
    const now = seconds(Date.now());
    const made = await makeGrant(caller.user, now, this.#life.grant);
    return this.#issue<GrantIssued>("ra:grant", caller, now, (sql) => {
      const stored = storeGrant(sql, caller, made, now, this.#enrolmentsPerMinute);
      return stored.ok ? ok({ grant: made.grant, expires: made.expires }) : stored;
    });
  }

  /** M2, M5: a secret zero for the custodian as which the deployer is signed in. */
  async secretZero(caller: Caller, request: SecretZeroRequest): Promise<Result<SecretZeroIssued>> {
    const now = seconds(Date.now());
    const { custodian, life = this.#life.secretZero, key = null } = request;
    const { vault } = tenantNamed(this.env, caller.tenant);
    const order = { vault, life: Math.min(life, this.#life.secretZero), key };
    const made = await makeSecretZero(caller, order, now);
    return this.#issue<SecretZeroIssued>("ra:secret-zero", caller, now, (sql) => {
      if (custodian !== caller.custodian)
        return refuse("foreign-custodian", "a deployer deploys for its own custodian");
      const what = { what: "ra:secret-zero", user: caller.user };
      const turn = takeTurn(sql, what, this.#enrolmentsPerMinute, now);
      if (!turn.ok) return turn;
      storeSecretZero(sql, caller, made, now);
      return ok({ secretZero: made.secretZero, expires: made.expires });
    });
  }

  /** M1, M5: opens the session in which the microservice that the deployer launches shows evidence. */
  async attestation(caller: Caller, { custodian }: AttestationRequest): Promise<Result<AttestationOpened>> {
    const now = seconds(Date.now());
    const accepted = await this.#neighbours.VERIFIER.accepts({ tenant: caller.tenant }).catch(() =>
      fail("verifier-unavailable"),
    );
    return this.#issue<AttestationOpened>("ra:attestation", caller, now, (sql) => {
      if (custodian !== caller.custodian)
        return refuse("foreign-custodian", "a deployer deploys for its own custodian");
      if (!accepted.ok) return refuse("verifier-unavailable", "the verifier cannot be reached");
      if (accepted.value.length === 0) return refuse("attestation-refused", "no evidence is taken here");
      const turn = takeTurn(
        sql,
        { what: "ra:attestation", user: caller.user },
        this.#enrolmentsPerMinute,
        now,
      );
      if (!turn.ok) return turn;
      // The deployer hands it on to whom has no cookie.
      const by = { user: null, principal: caller.user };
      const session = openSession(sql, by, now, attestationMethod.challenge.nonce);
      if (!session.ok) return session;
      storeAttestation(sql, caller, session.value);
      return ok(attestationOpened(session.value, accepted.value));
    });
  }

  /** What a custodian asks for that lets an instance enrol, decided by how the custodian stands (M5). */
  async #issue<T>(
    action: string,
    caller: Caller,
    now: number,
    store: (sql: SqlStorage) => Decision<T>,
  ): Promise<Result<T>> {
    const { tenant, user, custodian: dn, jkt, requestId } = caller;
    const [{ registered, certificate }, master] = await Promise.all([
      this.#certified({ tenant, user, dn, jkt }, now),
      this.#neighbours.KMS.hasMasterKey({ tenant }),
    ]);
    const opened = this.#open().store;
    return authorize<T>(opened, { action, caller, resource: `custodian/${dn}`, requestId }, (sql) => {
      const apps = tenantNamed(this.env, opened.tenant).apps.map(({ origin }) => origin);
      const standing = checkStanding(caller, { registered, certificate, master, apps, now });
      if (!standing.ok) return standing;
      const room = boundUnexpired(sql, { user, max: this.#maxUnexpired }, now);
      return room.ok ? store(sql) : room;
    });
  }

  /** What the IAM knows of a custodian, and whether the certificate that it keeps holds under the authority's at the HSM. */
  async #certified(
    wanted: { tenant: string; user: string; dn: string; jkt: string },
    now: number,
  ): Promise<{ registered: Result<Custodian>; certificate: Decision<void> }> {
    const registered = await this.#neighbours.IAM.custodian(wanted);
    if (!registered.ok) return { registered, certificate: { ...registered, reason: "not registered" } };
    let authority: Uint8Array<ArrayBuffer>;
    try {
      authority = await this.#hsm.certificate(CUSTODIANS_CA.certificate);
    } catch (error) {
      return {
        registered,
        certificate: refuse(failureOf(error).code, "no certificate of the custodians CA"),
      };
    }
    const certificate = await verifyCustodianCertificate(registered.value, authority, now).then(
      () => ok(undefined),
      (error: Error) => refuse("forbidden", `custodian's certificate: ${error.message.slice(0, 100)}`),
    );
    return { registered, certificate };
  }

  /**
   * Opens an enrolment session, by the methods that this applicant may use. Null where nobody ever enrolled and nobody is
   * signed in: nothing is kept for who names a principal.
   */
  openEnrolment(by: Applicant): Result<EnrolmentOpened> | null {
    if (by.user === null && this.#opened === undefined) return null;
    const { store } = this.#open();
    return authorize<EnrolmentOpened>(store, { action: "ra:enrolment", ...aboutOf(by) }, (sql) => {
      const foreign = this.#refuseForeign(store, by);
      if (foreign) return foreign;
      if (by.user === null && !expectsSecretZero(sql, seconds(Date.now())))
        return turnAway("no-session", "nobody is expected here without signing in");
      const methods = methodsFor(by);
      const nonceBytes = Math.max(...methods.map(({ challenge }) => challenge.nonce));
      const what = { what: "ra:enrolment", user: by.user ?? NOBODY };
      const turn = takeTurn(sql, what, this.#enrolmentsPerMinute, seconds(Date.now()));
      if (!turn.ok) return turn;
      const session = openSession(sql, by, seconds(Date.now()), nonceBytes);
      if (!session.ok) return session;
      const { id, nonce, expires } = session.value;
      return ok({ id, nonce: encodeBase64url(nonce), expires, accepts: methods.map(({ name }) => name) });
    });
  }

  /**
   * Redeems an enrolment (M1 to M3): session and credential are consumed in one transaction before anything else is looked
   * at or anyone is called; whatever fails afterwards leaves nothing but that and the audit rows (M20).
   */
  async redeemEnrolment(by: Applicant, id: string, request: Redemption): Promise<Result<Enrolment> | null> {
    if (by.user === null && this.#opened === undefined) return null;
    const opened = this.#open();
    const redeem = await prepareRedemption(by, id, request);
    const now = Date.now();
    const about = aboutOf(by, `enrolment/${String(id).slice(0, 128)}`);
    const decision = authorize(opened.store, { action: "ra:redeem", ...about }, (sql) => {
      const foreign = this.#refuseForeign(opened.store, by);
      if (foreign) return foreign;
      // Anyone can name a principal: without a session of theirs nobody uses up the turns of who has one.
      if (by.user === null && !waitsForNobody(sql, id)) {
        const redeemed = redeem(sql, seconds(now));
        return redeemed.ok
          ? refuse("invalid-grant", "no session")
          : turnAway("invalid-grant", redeemed.reason);
      }
      // Each attempt may use a grant of somebody else's up, or tell their object of one that is made up.
      const what = { what: "ra:redeem", user: by.user ?? NOBODY };
      const turn = takeTurn(sql, what, this.#enrolmentsPerMinute, seconds(now));
      return turn.ok ? redeem(sql, seconds(now)) : turn;
    });
    // Before it is answered, a grant of somebody else's is used up with them.
    await opened.outbox.send();
    if (!decision.ok) return decision;

    return this.#certify(opened, about, { ...decision.value, request, now });
  }

  /** What follows once the credential is consumed. It ends with a recorded instance, or with nothing but an audit row. */
  async #certify(
    { store, ledger, outbox }: Opened,
    about: ReturnType<typeof aboutOf>,
    redeemed: Redeemed & { request: Redemption; now: number },
  ): Promise<Result<Enrolment>> {
    const { nonce, verify, request, method, now } = redeemed;
    const { tenant } = store;
    const action = "ra:certify";
    const deny = (code: ProblemCode, reason: string) =>
      authorize<never>(store, { action, ...about }, () => refuse(code, reason.slice(0, 200)));

    const verified = await verifyRequest(request, nonce).catch((error: Error) => error);
    if (verified instanceof Error) return deny("invalid-certificate", verified.message);
    const { keys } = verified;
    const known = { tenant, publicKey: this.env.COFFER_VERIFIER_PUBLIC_KEY };
    const ask = (presented: Presented) => appraisalOf(this.#neighbours.VERIFIER, known, presented);
    const appraise = (presented: Presented) => appraised(store.sql, presented, ask, seconds(now));
    const admitted = await verify({ nonce, ...verified, appraise, now: seconds(now) }).catch((error: Error) =>
      refuse("invalid-grant", error.message),
    );
    if (!admitted.ok) return deny(admitted.problem.code, admitted.reason);
    const { binding, tier, measurements = {} } = admitted.value;
    const registers = registersOf(measurements);
    const attested = method === "attestation" ? seconds(now) : null;
    const of = { binding, tier, method, registers, keys, now, attested };
    return this.#register({ store, ledger, outbox }, about, of);
  }

  /**
   * Renewal by the instance itself: its certificates are used up in one transaction, before anyone is called. Null where nobody
   * ever enrolled.
   */
  async renew(by: Applicant, request: Renewal): Promise<Result<Enrolment> | null> {
    if (this.#opened === undefined) return null;
    const opened = this.#opened;
    const { store } = opened;
    const about = aboutOf(by, "renewal");
    const shown = await readRenewal(request).catch((error: Error) => error);
    const now = Date.now();
    const decision = authorize<Taken>(store, { action: "ra:renew", ...about }, (sql) => {
      const foreign = this.#refuseForeign(store, by);
      if (foreign) return foreign;
      // Certificates are public: who has no more than them, or made them up, uses up nobody's turn.
      if (shown instanceof Error) return turnAway("invalid-certificate", shown.message.slice(0, 200));
      return takeRenewal(sql, shown, {
        ...{ now: seconds(now), attestedSeconds: this.#life.attested },
        level: tenantNamed(this.env, store.tenant).level,
        turn: () =>
          takeTurn(sql, { what: "ra:renew", user: NOBODY }, this.#enrolmentsPerMinute, seconds(now)),
        isUnderWay: (id) => this.#renewing.has(id),
      });
    });
    if (!decision.ok || shown instanceof Error) return decision.ok ? fail("invalid-certificate") : decision;
    const from = decision.value;
    if ("again" in from) return ok(from.again);
    if ("underWay" in from) return this.#renewing.get(from.underWay) ?? fail("internal");
    // No wait since the decision: who asks meanwhile finds this one under way.
    const renewing = this.#register(opened, about, { ...from, keys: shown.keys, now, from: from.id });
    this.#renewing.set(from.id, renewing);
    return renewing.finally(() => this.#renewing.delete(from.id));
  }

  /** Certifies and registers an instance for who may have one. It ends with a recorded instance, or with nothing but an audit row. */
  async #register(
    { store, ledger, outbox }: Opened,
    about: ReturnType<typeof aboutOf>,
    of: Pick<Renewed, "binding" | "tier" | "method" | "registers" | "attested"> & {
      keys: InstanceKeys;
      now: number;
      /** Of a renewal: the first instance in its line, the one that is renewed, and its end. */
      line?: string;
      from?: string;
      level?: Level;
      notAfter?: number;
    },
  ): Promise<Result<Enrolment>> {
    const { binding, now, attested, from } = of;
    const { sql, tenant } = store;
    const action = "ra:certify";
    const deny = (code: ProblemCode, reason: string) =>
      authorize<never>(store, { action, ...about }, () => refuse(code, reason.slice(0, 200)));
    const { user, custodian: dn, jkt } = binding;
    const signedIn = () =>
      this.#neighbours.IAM.custodian({ tenant, user, dn, jkt }).catch(() => fail("internal"));
    const custodian = await signedIn();
    if (!custodian.ok) return deny("foreign-custodian", "the custodian's sign-in has ended");
    const evidence = attested === null ? Number.POSITIVE_INFINITY : attested + this.#life.attested;
    const until = Math.min(custodian.value.notAfter, evidence);
    if (of.notAfter !== undefined && !(of.notAfter < until))
      return deny("invalid-grant", "what it was enrolled by ends no later than its certificates");
    // A renewal is of one that has a place among its user's, so it goes on. No wait between this and what is under way.
    const places = { user, max: this.#maxUnexpired, underWay: this.#underWay.size };
    const room = from === undefined ? boundUnexpired(sql, places, seconds(now)) : ok(null);
    if (!room.ok) return authorize<never>(store, { action, ...about }, () => room);
    const instance = crypto.randomUUID();
    const underWay = { jkt, ended: false };
    this.#underWay.add(underWay);
    const registration = { id: instance, objects: 2 };
    ledger.begin(registration);
    try {
      const { level = tenantNamed(this.env, tenant).level } = of;
      const { certificate: life } = this.#life;
      const { vault } = tenantNamed(this.env, tenant);
      const ceremony = { ...of, instance, tenant, level, until, life, vault };
      const { record, enrolled } = await certify(this.#hsm, this.#recipients, ceremony);
      // The HSM took its time: a user who has signed out meanwhile gets no instance that the sign-out did not see.
      const registered = await signedIn();
      let replaced: string[] = [];
      const stored = authorize<Enrolment>(
        store,
        { action, ...about, resource: `instance/${instance}` },
        () => {
          // The IAM may have answered before the end, and told us of the end before its answer came.
          if (!registered.ok || underWay.ended)
            return refuse("foreign-custodian", "the custodian's sign-in has ended");
          if (from !== undefined && !replaceBy(sql, from, seconds(now)))
            return refuse("not-recipient", "the instance has ended meanwhile");
          replaced = makeRoom(sql, binding.user, this.#maxInstances, seconds(now));
          insertInstance(sql, record);
          if (from !== undefined) keepAnswer(sql, from, enrolled, seconds(now));
          ledger.end(registration);
          return ok(enrolled);
        },
      );
      for (const id of replaced)
        authorize(store, { action: "ra:replace", ...about, resource: `instance/${id}` }, () => ok(null));
      if (replaced.length > 0) this.ctx.waitUntil(this.#retire(outbox));
      await this.#listRevoked(store);
      await (stored.ok ? wakeBy(this.ctx.storage, record.notAfter * 1000) : ledger.clear(registration));
      return stored;
    } catch (error) {
      await ledger.clear(registration);
      const { code, reason } = failureOf(error);
      return deny(code, reason);
    } finally {
      this.#underWay.delete(underWay);
    }
  }

  /** Opens the registration of a passkey in the vault's frame, where the tenant's policy takes them. */
  async openPasskey(by: SignedIn): Promise<Result<PasskeyOpened>> {
    const accepted = await this.#neighbours.VERIFIER.accepts({ tenant: by.tenant }).catch(() =>
      fail("verifier-unavailable"),
    );
    const { store } = this.#open();
    return authorize<PasskeyOpened>(store, { action: "ra:passkey", ...aboutOf(by, "challenge") }, (sql) => {
      const foreign = this.#refuseForeign(store, by);
      if (foreign) return foreign;
      if (!accepted.ok) return refuse("verifier-unavailable", "the verifier cannot be reached");
      if (!accepted.value.includes(PASSKEY_EVIDENCE))
        return refuse("attestation-refused", "no passkeys are taken here");
      const now = seconds(Date.now());
      const turn = takeTurn(sql, { what: "ra:passkey", user: by.user }, this.#enrolmentsPerMinute, now);
      return turn.ok ? openChallenge(sql, by.user, now) : turn;
    });
  }

  /** Keeps a passkey that was registered: its challenge is used up before anyone is asked whether it is good (M20). */
  async registerPasskey(
    by: SignedIn,
    request: PasskeyRegistration,
  ): Promise<Result<Pick<Passkey, "id" | "tier">>> {
    const { store } = this.#open();
    const { user } = by;
    const now = seconds(Date.now());
    const action = "ra:passkey-register";
    const about = aboutOf(by, "passkey");
    const decision = authorize(store, { action, ...about }, (sql) => {
      const foreign = this.#refuseForeign(store, by);
      return foreign ?? consumeChallenge(sql, { challenge: request.challenge, user }, now);
    });
    if (!decision.ok) return decision;
    const { vault, apps } = tenantNamed(this.env, store.tenant);
    const presented = {
      ...{ ...request, nonce: decodeBase64url(request.challenge), vault },
      apps: apps.map(({ origin }) => origin),
    };
    const known = { tenant: store.tenant, publicKey: this.env.COFFER_VERIFIER_PUBLIC_KEY };
    const found = await passkeyOf(this.#neighbours.VERIFIER, known, presented).catch((error: Error) => error);
    return authorize<Pick<Passkey, "id" | "tier">>(store, { action: "ra:passkey-keep", ...about }, (sql) => {
      if (found instanceof Error)
        return refuse("verifier-unavailable", `verifier: ${found.message}`.slice(0, 200));
      if ("refused" in found) return refuse("attestation-refused", `passkey: ${found.refused}`.slice(0, 200));
      return insertPasskey(sql, user, found, seconds(Date.now()));
    });
  }

  /** The caller's own passkeys. */
  passkeys(caller: Caller): Result<PasskeyListed[]> {
    const { user, requestId } = caller;
    const about = { action: "ra:passkeys", caller, resource: `user/${user}`, requestId };
    return authorize(this.#open().store, about, (sql) => ok(listed(sql, user)));
  }

  /** Ends a passkey of the caller. */
  removePasskey(caller: Caller, id: string): Result<null> {
    const { requestId } = caller;
    const resource = `passkey/${id.slice(0, 64)}`;
    const about = { action: "ra:passkey-remove", caller, resource, requestId };
    return authorize(this.#open().store, about, (sql) => removePasskey(sql, caller, id));
  }

  /** Of who names a principal that expects nobody. Anyone can. */
  stranger(by: Applicant): Result<never> {
    return authorize<never>(this.#open().store, { action: "ra:stranger", ...aboutOf(by) }, () =>
      turnAway("no-session", "no such enrolment is expected"),
    );
  }

  /** Somebody has presented credentials of this principal's, or says so: what uses nothing up leaves no row. */
  exposed(credentials: Exposed[]): Result<null> {
    if (this.#opened === undefined || !anyOpen(this.#opened.store.sql, credentials)) return ok(null);
    const about = { action: "ra:exposed", caller: null, resource: "grant", requestId: crypto.randomUUID() };
    return authorize(this.#opened.store, about, (sql) => {
      useUp(sql, credentials, seconds(Date.now()));
      return ok(null);
    });
  }

  /** For the KMS: which instance of a user holds the wrapping certificate with this base64url SHA-256. */
  recipient({ user, thumbprint }: { user: string; thumbprint: string }): Result<Recipient> {
    if (this.#opened === undefined) return fail("not-recipient");
    const { sql } = this.#opened.store;
    const now = seconds(Date.now());
    const recipient = findRecipient(sql, { user, thumbprint }, now);
    if (recipient?.status === "active") noteUse(sql, thumbprint, now);
    return recipient ? ok(recipient) : fail("not-recipient");
  }

  /** For IAM and KMS: an instance of a user that asks for itself, or that somebody names. */
  instance(of: { user: string; instance: string; identityCertificate?: string }): Result<Enrolled> {
    if (this.#opened === undefined) return fail("not-recipient");
    const enrolled = findEnrolled(this.#opened.store.sql, of, seconds(Date.now()));
    if (!enrolled) return fail("not-recipient");
    const { secondLayer, appKeys } = tenantNamed(this.env, this.#opened.store.tenant);
    return ok({ ...enrolled, ...(secondLayer && { secondLayer }), ...(appKeys && { appKeys }) });
  }

  /** An instance of a user has asked for itself, and has shown that it is that one. */
  used(of: { user: string; instance: string }): Result<null> {
    const found = this.instance(of);
    if (!found.ok || this.#opened === undefined) return found.ok ? ok(null) : found;
    const { status, wrappingCertificate } = found.value;
    if (status === "active") noteUse(this.#opened.store.sql, wrappingCertificate, seconds(Date.now()));
    return ok(null);
  }

  /** The caller's own instances. */
  instances(caller: Caller): Result<Instance[]> {
    const { user, requestId } = caller;
    const about = { action: "ra:instances", caller, resource: `user/${user}`, requestId };
    return authorize(this.#open().store, about, (sql) => ok(listInstances(sql, caller, seconds(Date.now()))));
  }

  /** M12, W12: ends one instance of the caller; the KMS refuses it at once, the HSM as soon as it can be reached. */
  async revoke(caller: Caller, id: string): Promise<Result<void>> {
    const { requestId } = caller;
    const resource = `instance/${String(id).slice(0, 64)}`;
    const about = { action: "ra:revoke", caller, resource, requestId };
    const { store, outbox } = this.#open();
    const decision = authorize(store, about, (sql) => revokeInstance(sql, id, caller, seconds(Date.now())));
    if (decision.ok) await Promise.all([this.#retire(outbox), this.#listRevoked(store)]);
    return decision;
  }

  /** This principal's instances in all apps, for an admin, which the IAM has said of the caller. Nothing is kept for whom nobody knows. */
  userInstances(caller: Caller): Result<UserInstance[]> {
    if (this.#opened === undefined) return ok([]);
    const { store } = this.#opened;
    const user = subjectOf(store.sql);
    const about = {
      action: "ra:user-instances",
      caller,
      resource: `user/${user}`,
      requestId: caller.requestId,
    };
    return authorize(store, about, (sql) => ok(listUserInstances(sql, user, seconds(Date.now()))));
  }

  /** The same ends one of them. Errors: `not-found`. */
  async revokeOfUser(caller: Caller, id: string): Promise<Result<void>> {
    if (this.#opened === undefined) return fail("not-found");
    const { store, outbox } = this.#opened;
    const user = subjectOf(store.sql);
    const resource = `user/${user}/instance/${String(id).slice(0, 64)}`;
    const about = { action: "ra:revoke-of-user", caller, resource, requestId: caller.requestId };
    const decision = authorize(store, about, (sql) => revokeInstance(sql, id, { user }, seconds(Date.now())));
    if (decision.ok) await Promise.all([this.#retire(outbox), this.#listRevoked(store)]);
    return decision;
  }

  /** What HSM and KMS have for instances that have ended goes; what cannot go now is tried again by the alarm. */
  async #retire(outbox: Outbox): Promise<void> {
    await Promise.all([outbox.send(), retireEnded(this.ctx.storage, this.#recipients)]);
  }

  /**
   * Tells the tenant's lists of what is revoked, before anybody is answered. What they could not be told they are told by the alarm:
   * the rows say what they have not.
   */
  async #listRevoked({ sql, tenant }: Store): Promise<void> {
    for (;;) {
      const told = unlisted(sql, seconds(Date.now()));
      if (told.length === 0) return;
      const lists = this.env.RA_REVOCATIONS_OBJECT.getByName(`${tenant}/revocations`);
      const heard = await lists
        .revoked(told.map(({ id: _, ...revocation }) => revocation))
        .catch(() => fail("internal"));
      if (!heard.ok) return;
      markListed(sql, told);
    }
  }

  /** Revokes the instances and open grants of custodians whose sign-in has ended. */
  async ended(jkts: string[]): Promise<Result<null>> {
    if (this.#opened === undefined) return ok(null);
    const { store, outbox } = this.#opened;
    const requestId = crypto.randomUUID();
    for (const underWay of this.#underWay) if (jkts.includes(underWay.jkt)) underWay.ended = true;
    for (const jkt of jkts) {
      const about = { action: "ra:sign-out", caller: null, resource: `key/${jkt.slice(0, 64)}`, requestId };
      const done = authorize(store, about, (sql) => {
        endCustodian(sql, jkt, seconds(Date.now()));
        return ok(null);
      });
      if (!done.ok) return done;
    }
    // The KMS refuses them from now on; nobody has to wait until the HSM has forgotten them.
    this.ctx.waitUntil(this.#retire(outbox));
    await this.#listRevoked(store);
    return ok(null);
  }

  override async alarm(): Promise<void> {
    const { store, ledger, outbox } = this.#open();
    await store.flush();
    await outbox.alarm();
    await ledger.sweep();
    await this.#listRevoked(store);
    await retireEnded(this.ctx.storage, this.#recipients);
  }

  #refuseForeign({ tenant }: Store, by: Applicant) {
    if (by.tenant !== tenant) return refuse("forbidden", "signed in at another tenant");
    if (by.origin !== tenantNamed(this.env, tenant).vault)
      return refuse("foreign-origin", "not the vault's origin");
    return null;
  }
}

/** What the audit log says of an enrolment session, or of what is done in it. */
function aboutOf({ user, requestId }: Applicant, what?: string) {
  const resource = [...(user === null ? [] : [`user/${user}`]), ...(what === undefined ? [] : [what])].join(
    "/",
  );
  return { caller: null, resource, requestId, ...(user === null ? {} : { user }) };
}
