import { DurableObject } from "cloudflare:workers";
import { seconds } from "#protocol/clock.ts";
import type { Tokens } from "#protocol/contract/index.ts";
import { wakeBy } from "../alarm.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { developmentSignIn } from "../development.ts";
import { fromHsm, type Hsm, openHsm } from "../hsm/index.ts";
import { type Ledger, openLedger } from "../hsm/keys/index.ts";
import { type Outbox, openOutbox } from "../outbox.ts";
import { type Decision, fail, ok, type Result, refuse } from "../result.ts";
import { hashSecret } from "../secret.ts";
import { openStore, type Store } from "../store.ts";
import { tenantNamed } from "../tenants.ts";
import { tokenKey } from "./access-token.ts";
import { createAccountKey, currentAccountKey, masterKey } from "./account-keys.ts";
import { maxSignIns, signInsPerMinute } from "./bounds.ts";
import { type AuthorizationRequest, issueCode } from "./codes.ts";
import { findCustodian, isSignedIn } from "./custodians.ts";
import { nextExpiry } from "./families.ts";
import { migrations } from "./schema.ts";
import { findSession, type SignedIn, signedInApps, signInByName, signOut } from "./sign-in.ts";
import { sweep } from "./sweep.ts";
import { checkTicket, makeTicket, type Question, type TicketCheck, ticketKey } from "./ticket.ts";
import { issueTokens, type TokenRequest } from "./tokens.ts";
import type { AccountKey, Custodian, TokenKey, VaultSession } from "./types.ts";

/** What the IAM needs of its neighbours. */
interface Neighbours {
  RA: { ended(of: { tenant: string; user: string; jkts: string[] }): Promise<Result<null>> };
}

/** A page of the vault with a form. */
type Asked = { cookie: string | null } & Pick<Question, "page" | "about">;
type Asking = { session: VaultSession | null; ticket: string; clients: string[] };
type Answered = Asked & { ticket: string };

/** State of the IAM: one object a tenant. Reached by the `Iam` entrypoint alone. */
export class IamObject extends DurableObject<Env> {
  readonly #store: Store;
  readonly #hsm: Hsm;
  readonly #ledger: Ledger;
  readonly #outbox: Outbox;
  /** Account keys that are being made, so that two first requests make one. */
  readonly #making = new Map<string, Promise<AccountKey>>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = openStore(ctx, { domain: "iam", audit: env.AUDIT_IAM, migrations });
    this.#hsm = openHsm(env.HSM_IAM, env.COFFER_HSM_URL);
    this.#ledger = openLedger(ctx, this.#hsm, "iam");
    const { RA }: Neighbours = env;
    const { tenant } = this.#store;
    // The registration authority ends the instances of sign-ins that have ended.
    this.#outbox = openOutbox<{ jkt: string }>(ctx, (addressee, ended) =>
      RA.ended({ tenant, user: addressee.slice("ra/".length), jkts: ended.map(({ jkt }) => jkt) }),
    );
    // What an earlier release issued has no alarm yet.
    ctx.waitUntil(this.#wakeAtExpiry());
  }

  override async alarm(): Promise<void> {
    sweep(this.#store, seconds(Date.now()));
    await this.#store.flush();
    await this.#outbox.send();
    await this.#ledger.sweep();
    await this.#wakeAtExpiry();
  }

  async #wakeAtExpiry(): Promise<void> {
    const next = nextExpiry(this.#store.sql);
    if (next !== null) await wakeBy(this.ctx.storage, next * 1000);
  }

  /** `cookie` is the one that the new one replaces. */
  async signIn(request: {
    name: string;
    cookie: string | null;
    requestId: string;
  }): Promise<Result<SignedIn>> {
    const { name, cookie, requestId } = request;
    const previous = cookie === null ? null : await hashSecret(cookie);
    const allowed = developmentSignIn(this.env);
    const [max, perMinute] = [maxSignIns(this.env), signInsPerMinute(this.env)];
    const by = { name, previous, requestId, now: seconds(Date.now()), allowed, max, perMinute };
    const result = await signInByName(this.#store, by);
    await this.#outbox.send();
    return result;
  }

  /** Ends what was issued in the session to one app, or with `client` null all of it and the session. */
  async signOut(of: { cookie: string; client: string | null; requestId: string }): Promise<Result<null>> {
    const { cookie, ...rest } = of;
    const result = signOut(this.#store, {
      hash: await hashSecret(cookie),
      now: seconds(Date.now()),
      ...rest,
    });
    await this.#outbox.send();
    return result;
  }

  /** Whom a page of the vault asks, in which apps that person is signed in, and the ticket for the page's form. */
  async ask({ cookie, page, about }: Asked): Promise<Asking> {
    const hash = cookie === null ? null : await hashSecret(cookie);
    const session = hash === null ? null : findSession(this.#store, hash, seconds(Date.now()));
    const key = await ticketKey(this.#store.sql);
    const ticket = await makeTicket(key, { page, session: hash, about }, Date.now());
    const clients =
      session === null || hash === null ? [] : signedInApps(this.#store.sql, hash, seconds(Date.now()));
    return { session, ticket, clients };
  }

  /** What becomes of a form's ticket. */
  async answered({ cookie, page, about, ticket }: Answered): Promise<TicketCheck> {
    const session = cookie === null ? null : await hashSecret(cookie);
    const key = await ticketKey(this.#store.sql);
    return checkTicket(key, { page, session, about }, ticket, Date.now());
  }

  async session({ cookie }: { cookie: string }): Promise<VaultSession | null> {
    return findSession(this.#store, await hashSecret(cookie), seconds(Date.now()));
  }

  async issueCode(options: {
    request: AuthorizationRequest;
    cookie: string;
    answered: TicketCheck;
    requestId: string;
  }): Promise<Result<{ code: string }>> {
    const { request, cookie, answered, requestId } = options;
    const session = await hashSecret(cookie);
    // Made-up cookies must not fill the audit log: without a session there is nothing to decide.
    if (findSession(this.#store, session, seconds(Date.now())) === null) return fail("no-session");
    const perMinute = signInsPerMinute(this.env);
    return issueCode(this.#store, {
      request,
      session,
      answered,
      requestId,
      now: seconds(Date.now()),
      perMinute,
    });
  }

  async token(request: TokenRequest): Promise<Result<Tokens>> {
    const endpoint = {
      store: this.#store,
      hsm: this.#hsm,
      tenant: tenantNamed(this.env, this.#store.tenant),
      configuration: this.env,
      now: seconds(Date.now()),
    };
    const result = await fromHsm(request.requestId, () => issueTokens(endpoint, request));
    // A code or a refresh token that was used twice ends a sign-in; one that was issued will run out.
    await this.#outbox.send();
    await this.#wakeAtExpiry();
    return result;
  }

  keys(): Promise<Result<TokenKey[]>> {
    return fromHsm("keys", async () => ok([await tokenKey(this.#hsm)]));
  }

  /** M5: a registered custodian with a live certificate. */
  custodian({ dn, jkt }: { dn: string; jkt: string }): Result<Custodian> {
    return findCustodian(this.#store, { dn, jkt, now: seconds(Date.now()) });
  }

  /** Whether the caller is still signed in, and a member of the account: for a neighbour, who records what it decides by it. */
  member({ account, caller }: { account: string; caller: Caller }): Result<null> {
    const decision = this.#checkMember(this.#store.sql, account, caller);
    return decision.ok ? decision : { ok: false, problem: decision.problem };
  }

  async accountKey({ account, caller }: { account: string; caller: Caller }): Promise<Result<AccountKey>> {
    const { requestId } = caller;
    const resource = `account/${account}`;
    const about = { action: "iam:account-key", caller, resource, requestId };
    const decision = authorize(this.#store, about, (sql) => this.#checkMember(sql, account, caller));
    if (!decision.ok) return decision;
    return fromHsm(requestId, async () => ok(await this.#accountKey(account)));
  }

  #checkMember(sql: SqlStorage, account: string, caller: Caller): Decision<null> {
    if (caller.tenant !== this.#store.tenant)
      return refuse("forbidden", "the caller belongs to another tenant");
    if (!isSignedIn(sql, caller, seconds(Date.now())))
      return refuse("invalid-token", "the sign-in has ended");
    const member = sql
      .exec(
        "SELECT 1 FROM members m JOIN accounts a ON a.id = m.account WHERE m.user = ? AND m.account = ? AND a.deleted IS NULL",
        caller.user,
        account,
      )
      .toArray();
    return member.length === 1 ? ok(null) : refuse("forbidden", "the user is not a member of this account");
  }

  #accountKey(account: string): Promise<AccountKey> {
    const current = currentAccountKey(this.#store.sql, account);
    if (current !== null) return Promise.resolve(current);
    let making = this.#making.get(account);
    if (making === undefined) {
      making = this.#makeAccountKey(account).finally(() => this.#making.delete(account));
      this.#making.set(account, making);
    }
    return making;
  }

  async #makeAccountKey(account: string): Promise<AccountKey> {
    const now = seconds(Date.now());
    const master = await masterKey(this.#hsm, this.#store.tenant);
    const wrapped = await createAccountKey(this.#hsm, this.#ledger, master);
    this.#store.sql.exec(
      "INSERT INTO account_keys VALUES (?, ?, 1, ?, ?, ?) ON CONFLICT DO NOTHING",
      ...[crypto.randomUUID(), account, wrapped.buffer, master, now],
    );
    const kept = currentAccountKey(this.#store.sql, account);
    if (!kept) throw new Error("the account key was not kept");
    return kept;
  }
}
