import { DurableObject } from "cloudflare:workers";
import { seconds } from "#protocol/clock.ts";
import type { ClientTokens, NewAccountRequest, Tokens } from "#protocol/contract/index.ts";
import { wakeBy } from "../alarm.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import type { Enrolled } from "../enrolled.ts";
import { fromHsm, type Hsm, openHsm } from "../hsm/index.ts";
import { isWaiting, type Outbox, openOutbox } from "../outbox.ts";
import { takeTurn } from "../pace.ts";
import { fail, ok, type Result, refuse, turnAway } from "../result.ts";
import { hashSecret } from "../secret.ts";
import { hasStore, openStore, type Store, subjectOf } from "../store.ts";
import { tenantNamed } from "../tenants.ts";
import { maxSignIns, signInsPerMinute } from "./bounds.ts";
import { type ClientTokenRequest, issueClientTokens } from "./client-tokens.ts";
import { type AuthorizationRequest, issueCode } from "./codes.ts";
import { findCustodian, isSignedIn } from "./custodians.ts";
import { type Ended, type Forgotten, nextExpiry } from "./families.ts";
import { type InstanceTokenRequest, type InstanceTokens, issueInstanceToken } from "./instance-token.ts";
import { type Account, accountsOf, noteMembership } from "./memberships.ts";
import { dropNamed, keepNamed } from "./named-instances.ts";
import { createAccount } from "./new-account.ts";
import type { Founding } from "./news.ts";
import { isRemoved, ownRegistration } from "./own-registration.ts";
import type { Registered } from "./registered-clients.ts";
import { principalMigrations } from "./schema.ts";
import { DENIED, type Settings, takeSettings } from "./settings.ts";
import {
  findSession,
  isKnown,
  isReplacing,
  type Replaced,
  type SignedIn,
  signedInApps,
  signIn,
  signOut,
  signOutEverywhere,
  userName,
} from "./sign-in.ts";
import {
  type Appointment,
  type Claims,
  type KeptStanding,
  keepAppointments,
  standingOf,
} from "./standing.ts";
import { sweep } from "./sweep.ts";
import { takeRegistration } from "./take-registration.ts";
import type { TicketCheck } from "./ticket.ts";
import { issueTokens, refuseUnknown, type TokenEndpoint, type TokenRequest } from "./tokens.ts";
import type { Custodian, VaultSession } from "./types.ts";
import { useOnce } from "./used-once.ts";

/** What the IAM needs of its neighbours. */
interface Neighbours {
  DATASTORE: { left(of: { tenant: string; account: string; user: string }): Promise<Result<null>> };
  RA: { ended(of: { tenant: string; user: string; jkts: string[] }): Promise<Result<null>> };
}

function neighboursOf(env: Env): Neighbours {
  return { DATASTORE: env.DATASTORE_FOR_IAM, RA: env.RA_FOR_IAM };
}

type Opened = { store: Store; outbox: Outbox };

type Message = Ended | Forgotten | Founding | Replaced;

/** Accounts of one person: as many as tokens name with some to spare. */
const MAX_ACCOUNTS = 500;
/** When to sign in again where another's session could not be ended. */
const UNHEARD_SECONDS = 5;

/**
 * One principal, named `<tenant>/<principal>`: all that is issued to a person, by whichever app. Cookie, code and refresh token
 * address it; it decides by what it has of them. Where nobody has signed in it keeps nothing and refuses. Reached by the `Iam`
 * entrypoint and its own kind alone.
 */
export class IamPrincipalObject extends DurableObject<Env> {
  readonly #hsm: Hsm;
  #opened: Opened | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#hsm = openHsm(env.HSM_IAM, env.COFFER_HSM_URL_IAM || env.COFFER_HSM_URL);
    // An eviction between an issue and its alarm must not leave a sign-in without an end.
    if (hasStore(ctx)) ctx.waitUntil(this.#wakeAtExpiry(this.#open().store));
  }

  override async alarm(): Promise<void> {
    const { store, outbox } = this.#open();
    sweep(store, seconds(Date.now()));
    await store.flush();
    await outbox.alarm();
    await this.#wakeAtExpiry(store);
  }

  async #wakeAtExpiry({ sql }: Store): Promise<void> {
    const next = nextExpiry(sql);
    if (next !== null) await wakeBy(this.ctx.storage, next * 1000);
  }

  /**
   * Signs in this principal, for whom the tenant's provider has vouched. `earlier` is the name under which an earlier release
   * may have known it. `app` is where it signs in, by its client id. `cookie` is the one that the new one replaces, whoever's it is.
   */
  async signIn(request: {
    principal: string;
    name: string;
    earlier: string | null;
    app: string;
    claims: Claims;
    transaction: string;
    cookie: string | null;
    requestId: string;
  }): Promise<Result<SignedIn>> {
    const { principal, name, earlier, app, claims, transaction, cookie, requestId } = request;
    const known = this.#opened !== undefined && isKnown(this.#opened.store.sql);
    // Before anything is kept: people who come for the first time have one pace together.
    const admitted = known
      ? ok([])
      : await this.env.IAM_OBJECT.getByName(this.#tenant).admit({ name: earlier, requestId });
    if (!admitted.ok) return admitted;
    const { store, outbox } = this.#open();
    const result = await signIn(store, {
      principal,
      name,
      earlier: admitted.value,
      app,
      claims,
      previous: cookie,
      transaction,
      requestId,
      now: seconds(Date.now()),
      max: maxSignIns(this.env),
      perMinute: signInsPerMinute(this.env),
    });
    // The account is founded before anybody goes on with the new session, unless it does not answer: then it refuses.
    await outbox.send();
    if (!result.ok || !isReplacing(store.sql, { principal, previous: cookie })) return result;
    // Two people would be signed in in one browser: the new session ends unseen, and the other's when it is heard.
    const hash = await hashSecret(result.value.cookie);
    signOut(store, { hash, client: null, requestId, now: seconds(Date.now()) });
    const { problem } = fail("internal");
    return { ok: false, problem: { ...problem, retryAfter: UNHEARD_SECONDS } };
  }

  /** Ends what was issued in the session to one app, or with `client` null all of it and the session. */
  async signOut(of: { cookie: string; client: string | null; requestId: string }): Promise<Result<null>> {
    const { cookie, ...rest } = of;
    return this.#end({ hash: await hashSecret(cookie), ...rest });
  }

  /** Another principal has signed in in the place of this one. */
  replaced({ session, requestId }: Replaced): Promise<Result<null>> {
    return this.#end({ hash: session, client: null, requestId });
  }

  async #end(of: { hash: string; client: string | null; requestId: string }): Promise<Result<null>> {
    if (this.#opened === undefined) return ok(null);
    const { store, outbox } = this.#opened;
    const result = signOut(store, { now: seconds(Date.now()), ...of });
    await outbox.send();
    return result;
  }

  /** Who the cookie stands for, and in which apps that person is signed in. */
  async session({
    cookie,
  }: {
    cookie: string;
  }): Promise<{ session: VaultSession | null; clients: string[] }> {
    const store = this.#opened?.store;
    const hash = await hashSecret(cookie);
    const now = seconds(Date.now());
    const session = store ? findSession(store, hash, now) : null;
    return { session, clients: store && session ? signedInApps(store.sql, hash, now) : [] };
  }

  async issueCode(options: {
    principal: string;
    request: AuthorizationRequest;
    cookie: string;
    answered: TicketCheck;
    settings: Settings;
    requestId: string;
  }): Promise<Result<{ code: string }>> {
    const { cookie, settings, ...rest } = options;
    const session = await hashSecret(cookie);
    const store = this.#opened?.store;
    // Made-up cookies must not fill the audit log: without a session there is nothing to decide.
    if (!store || findSession(store, session, seconds(Date.now())) === null) return fail("no-session");
    const perMinute = signInsPerMinute(this.env);
    const { denied } = takeSettings(store.sql, settings);
    return issueCode(store, { ...rest, session, denied, now: seconds(Date.now()), perMinute });
  }

  async token(principal: string, request: TokenRequest, settings: Settings): Promise<Result<Tokens>> {
    // Nobody has signed in here: there is nothing that could be consumed, and nothing to record.
    if (this.#opened === undefined) return refuseUnknown(tenantNamed(this.env, this.#tenant), request);
    const { store, outbox } = this.#opened;
    const endpoint = this.#endpoint(store, principal, settings);
    const result = await fromHsm(request.requestId, () => issueTokens(endpoint, request));
    // A code or a refresh token that was used twice ends a sign-in; one that was issued will run out.
    await outbox.send();
    await this.#wakeAtExpiry(store);
    return result;
  }

  /** W9: tokens for this principal, if it is an application server. */
  async clientToken(
    principal: string,
    request: ClientTokenRequest,
    settings: Settings,
  ): Promise<Result<ClientTokens>> {
    if (this.#opened === undefined) return fail("invalid-client");
    const { store, outbox } = this.#opened;
    const endpoint = this.#endpoint(store, principal, settings);
    const result = await fromHsm(request.requestId, () => issueClientTokens(endpoint, request));
    // A sign-in that had to make room ends.
    await outbox.send();
    await this.#wakeAtExpiry(store);
    return result;
  }

  #endpoint(store: Store, principal: string, settings: Settings): TokenEndpoint {
    return {
      store,
      principal,
      hsm: this.#hsm,
      tenant: tenantNamed(this.env, store.tenant),
      configuration: this.env,
      now: seconds(Date.now()),
      // Another request may bring newer ones while the HSM works.
      denied: () => takeSettings(store.sql, settings).denied,
    };
  }

  /** W9: a token for an instance that serves this principal; `found` as the registration authority has it. */
  async instanceToken(
    request: InstanceTokenRequest,
    found: Result<Enrolled>,
    settings: Settings,
  ): Promise<Result<InstanceTokens>> {
    if (this.#opened === undefined) return fail("invalid-client");
    const { store } = this.#opened;
    const endpoint = {
      store,
      hsm: this.#hsm,
      tenant: tenantNamed(this.env, store.tenant),
      configuration: this.env,
      now: seconds(Date.now()),
      denied: () => takeSettings(store.sql, settings).denied,
    };
    return fromHsm(request.requestId, () => issueInstanceToken(endpoint, request, found));
  }

  /** Records that the caller, signed in, was refused what is nobody's. */
  refused(caller: Caller, what: { action: string; resource: string }): Result<never> {
    if (this.#opened === undefined) return fail("forbidden");
    return authorize<never>(this.#opened.store, { ...what, caller, requestId: caller.requestId }, () =>
      refuse("forbidden", "no such account"),
    );
  }

  /** The caller, signed in, says that an instance is its own. Errors: `invalid-token`, `forbidden`, `too-many-requests`. */
  nameInstance(
    caller: Caller,
    instance: { id: string; identityKey: string; notAfter: number },
    settings: Settings,
  ): Result<null> {
    const what = { action: "iam:name-instance", resource: `instance/${instance.id}` };
    const signedIn = this.signedIn(caller, settings, what);
    if (!signedIn.ok) return signedIn;
    if (this.#opened === undefined) return fail("invalid-token");
    const { user, jkt, client, requestId } = caller;
    return authorize<null>(this.#opened.store, { ...what, caller, requestId }, (sql) => {
      const now = seconds(Date.now());
      const turn = takeTurn(sql, { what: what.action, user }, signInsPerMinute(this.env), now);
      if (turn.ok) keepNamed(sql, { ...instance, jkt, client }, now);
      return turn;
    });
  }

  /** The caller, signed in, ends an instance of its app: the registration authority hears of it from the gateway. */
  unnameInstance(caller: Caller, id: string, settings: Settings): Result<null> {
    const what = { action: "iam:end-instance", resource: `instance/${id}` };
    const signedIn = this.signedIn(caller, settings, what);
    if (!signedIn.ok) return signedIn;
    if (this.#opened !== undefined) dropNamed(this.#opened.store.sql, { id, client: caller.client });
    return ok(null);
  }

  /** M5: a registered custodian with a live certificate. */
  custodian({ dn, jkt }: { dn: string; jkt: string }, settings: Settings): Result<Custodian> {
    if (this.#opened === undefined) return fail("foreign-custodian");
    const { store } = this.#opened;
    const { denied } = takeSettings(store.sql, settings);
    const found = findCustodian(store, { dn, jkt, now: seconds(Date.now()) });
    return found.ok && denied.includes(found.value.client) ? fail("forbidden") : found;
  }

  /** Whether the caller is still signed in, in an app that is not denied. That it is, is no decision of its own; that it is not is, where `what` is to be recorded. */
  signedIn(
    caller: Caller,
    settings: Settings,
    what?: { action: string; resource: string },
  ): Result<KeptStanding> {
    if (this.#opened === undefined) return fail("invalid-token");
    const { store } = this.#opened;
    const signedIn = caller.tenant === store.tenant && isSignedIn(store.sql, caller, seconds(Date.now()));
    const denied = takeSettings(store.sql, settings).denied.includes(caller.client);
    const standing = standingOf(store.sql);
    // Of an application server a role that was given to it is not looked at.
    if (signedIn && !denied) return ok(ownRegistration(store.sql) ? { ...standing, roles: [] } : standing);
    const refusal = signedIn ? refuse("forbidden", DENIED) : refuse("invalid-token", "the sign-in has ended");
    if (what === undefined) return { ok: false, problem: refusal.problem };
    const { requestId } = caller;
    return authorize<never>(store, { ...what, caller, requestId }, () => refusal);
  }

  /** Whether the caller, signed in, may read what was decided about this principal, which has to be the caller. Errors: `forbidden`. */
  readAudit(caller: Caller, page: boolean): Result<null> {
    if (this.#opened === undefined) return fail("forbidden");
    const { store } = this.#opened;
    const { user, requestId } = caller;
    const about = { action: "iam:read-audit", caller, resource: `audit/${user}`, requestId };
    return authorize<null>(store, about, () => {
      if (!page) return refuse("forbidden", "the audit is read by the shipped page's client alone");
      return user === subjectOf(store.sql) ? ok(null) : refuse("forbidden", "this is about somebody else");
    });
  }

  /** W11: another account, whose first member the caller is. It is founded before this answers, unless it does not answer: then it refuses. */
  async createAccount(caller: Caller, request: NewAccountRequest): Promise<Result<Account>> {
    if (this.#opened === undefined) return fail("invalid-token");
    const { store, outbox } = this.#opened;
    const pace = { now: seconds(Date.now()), perMinute: signInsPerMinute(this.env) };
    const created = await createAccount(store, caller, request, pace);
    await outbox.send();
    return created;
  }

  /** Ends every session of this principal, and all that was issued in them. */
  async endAll(requestId: string): Promise<Result<null>> {
    if (this.#opened === undefined) return ok(null);
    const { store, outbox } = this.#opened;
    const result = signOutEverywhere(store, { requestId, now: seconds(Date.now()) });
    await outbox.send();
    return result;
  }

  /** For the tenant's object: what this principal is by administration. Nobody need have signed in. */
  appointed(appointments: Appointment[]): Result<null> {
    return keepAppointments(this.#open().store.sql, appointments);
  }

  /** For the tenant's object: this principal is an application server, or is none any more. */
  async registered(registrations: Registered[]): Promise<Result<null>> {
    const { store, outbox } = this.#open();
    for (const registration of registrations) {
      const taken = await takeRegistration(store, registration, seconds(Date.now()));
      if (!taken.ok) return taken;
    }
    // Its instances end before the tenant's object says that it was removed.
    await outbox.send();
    return isWaiting(store.sql, `ra/${subjectOf(store.sql)}`) ? fail("internal") : ok(null);
  }

  /** The provider says that this principal has signed out there; its token is good once. Errors: `bad-request`. */
  async loggedOut({
    jti,
    until,
    requestId,
  }: {
    jti: string;
    until: number;
    requestId: string;
  }): Promise<Result<null>> {
    if (this.#opened === undefined) return ok(null);
    const id = await hashSecret(jti);
    const { store, outbox } = this.#opened;
    const now = seconds(Date.now());
    const about = { action: "iam:provider-logout", caller: null, resource: "identity-provider", requestId };
    const taken = authorize<null>(store, about, (sql) =>
      useOnce(sql, { kind: "logout", id, expires: until }, now)
        ? ok(null)
        : turnAway("bad-request", "logout token: used before"),
    );
    if (!taken.ok) return taken;
    // No wait in between: used up and carried out are one.
    const result = signOutEverywhere(store, { requestId, now });
    await outbox.send();
    return result;
  }

  /** Whom somebody could make a member of an account: the name, and whether there is room for one more. Null where nobody has signed in. */
  invited(): { name: string; room: boolean } | null {
    const sql = this.#opened?.store.sql;
    if (sql === undefined || !isKnown(sql) || isRemoved(sql)) return null;
    return { name: userName(sql), room: accountsOf(sql).length < MAX_ACCOUNTS };
  }

  /** For an account's object: this principal is a member of it. */
  joined({ account, name, created }: Pick<Founding, "account" | "name" | "created">): Result<null> {
    if (this.#opened !== undefined) noteMembership(this.#opened.store.sql, { account, name, created });
    return ok(null);
  }

  /** The accounts that the caller, who is signed in, may act for. */
  accounts(): Account[] {
    return this.#opened === undefined ? [] : accountsOf(this.#opened.store.sql);
  }

  /** For an account's object: this principal is no member of it any more. */
  left(account: string): Result<null> {
    this.#opened?.store.sql.exec("DELETE FROM memberships WHERE account = ?", account);
    return ok(null);
  }

  /** By the name that a request came with: nothing need be kept here. */
  get #tenant(): string {
    return this.ctx.id.name?.split("/", 1)[0] ?? "";
  }

  #open(): Opened {
    if (this.#opened) return this.#opened;
    const { ctx, env } = this;
    const store = openStore(ctx, { domain: "iam", audit: env.AUDIT_IAM, migrations: principalMigrations });
    const outbox = openOutbox<Message>(ctx, (addressee, messages) =>
      this.#deliver(store.tenant, addressee, messages),
    );
    this.#opened = { store, outbox };
    return this.#opened;
  }

  /** The registration authority ends instances, the datastore forgets its word, an account begins, another's session ends. */
  async #deliver(tenant: string, addressee: string, messages: Message[]): Promise<Result<null>> {
    const { IAM_ACCOUNT_OBJECT, IAM_PRINCIPAL_OBJECT } = this.env;
    const { RA, DATASTORE } = neighboursOf(this.env);
    const user = addressee.slice(addressee.indexOf("/") + 1);
    const to = `${tenant}/${user}`;
    for (const message of messages) {
      const heard =
        "session" in message
          ? await IAM_PRINCIPAL_OBJECT.getByName(to).replaced(message)
          : "account" in message
            ? await IAM_ACCOUNT_OBJECT.getByName(to).found(message)
            : "forget" in message
              ? await DATASTORE.left({ tenant, account: message.forget, user: message.user })
              : ok(null);
      if (!heard.ok) return heard;
    }
    const jkts = messages.flatMap((message) => ("jkt" in message ? [message.jkt] : []));
    return jkts.length > 0 ? RA.ended({ tenant, user, jkts }) : ok(null);
  }
}
