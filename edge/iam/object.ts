import { DurableObject } from "cloudflare:workers";
import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import { wakeBy } from "../alarm.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { fromHsm, type Hsm, openHsm } from "../hsm/index.ts";
import { fail, ok, type Result, refuse } from "../result.ts";
import { hashSecret } from "../secret.ts";
import { openStore, type Store } from "../store.ts";
import { tokenKey } from "./access-token.ts";
import { createAccountKey, currentAccountKey, masterKey } from "./account-keys.ts";
import { type AuthorizationRequest, issueCode } from "./codes.ts";
import { findCustodian, isSignedIn } from "./custodians.ts";
import { developmentSignIn } from "./development.ts";
import { migrations } from "./schema.ts";
import { findSession, type SignedIn, signInByName, signOut } from "./sign-in.ts";
import { sweep } from "./sweep.ts";
import { issueTokens, type TokenRequest, type TokenResponse } from "./tokens.ts";
import type { AccountKey, Custodian, Session, TokenKey } from "./types.ts";

/** What the IAM needs of its neighbours. */
interface Neighbours {
  RA: { ended(of: { tenant: string; jkts: string[] }): Promise<Result<null>> };
}

const TELL_AGAIN_MS = 10_000;

/** State of the IAM: one object a tenant. Reached by the `Iam` entrypoint alone. */
export class IamObject extends DurableObject<Env> {
  readonly #store: Store;
  readonly #hsm: Hsm;
  readonly #neighbours: Neighbours;
  /** Account keys that are being made, so that two first requests make one. */
  readonly #making = new Map<string, Promise<AccountKey>>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = openStore(ctx, { domain: "iam", audit: env.AUDIT_IAM, migrations });
    this.#hsm = openHsm(env.HSM_IAM, env.COFFER_HSM_URL);
    this.#neighbours = env as unknown as Neighbours;
  }

  override async alarm(): Promise<void> {
    sweep(this.#store, seconds());
    await this.#store.flush();
    await this.#tellEnded();
  }

  /** Has the RA revoke the instances of sign-ins that have ended; what it could not be told now, it is told later. */
  async #tellEnded(): Promise<void> {
    const { sql, tenant } = this.#store;
    const jkts = [...sql.exec<{ jkt: string }>("SELECT jkt FROM ended LIMIT 100")].map(({ jkt }) => jkt);
    if (jkts.length === 0) return;
    const told = await this.#neighbours.RA.ended({ tenant, jkts }).catch(() => fail("internal"));
    if (told.ok) for (const jkt of jkts) sql.exec("DELETE FROM ended WHERE jkt = ?", jkt);
    const { left } = sql.exec<{ left: number }>("SELECT count(*) AS left FROM ended").one();
    if (left > 0) await wakeBy(this.ctx.storage, Date.now() + TELL_AGAIN_MS);
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
    const by = { name, previous, requestId, now: seconds(), allowed };
    const result = await signInByName(this.#store, by);
    await this.#tellEnded();
    return result;
  }

  async signOut({ cookie, requestId }: { cookie: string; requestId: string }): Promise<Result<null>> {
    const result = signOut(this.#store, await hashSecret(cookie), requestId, seconds());
    await this.#tellEnded();
    return result;
  }

  async session({ cookie }: { cookie: string }): Promise<Session | null> {
    return findSession(this.#store, await hashSecret(cookie), seconds());
  }

  async issueCode(options: {
    request: AuthorizationRequest;
    cookie: string;
    requestId: string;
  }): Promise<Result<{ code: string }>> {
    const { request, cookie, requestId } = options;
    const session = await hashSecret(cookie);
    // Made-up cookies must not fill the audit log: without a session there is nothing to decide.
    if (findSession(this.#store, session, seconds()) === null) return fail("no-session");
    return issueCode(this.#store, { request, session, requestId, now: seconds() });
  }

  token(request: TokenRequest): Promise<Result<TokenResponse>> {
    const endpoint = { store: this.#store, hsm: this.#hsm, configuration: this.env, now: seconds() };
    return fromHsm(request.requestId, () => issueTokens(endpoint, request));
  }

  keys(): Promise<Result<TokenKey[]>> {
    return fromHsm("keys", async () => ok([await tokenKey(this.#hsm)]));
  }

  /** M5: a registered custodian with a live certificate. */
  custodian({ dn, jkt }: { dn: string; jkt: string }): Result<Custodian> {
    return findCustodian(this.#store, { dn, jkt, now: seconds() });
  }

  async accountKey({ account, caller }: { account: string; caller: Caller }): Promise<Result<AccountKey>> {
    const { requestId } = caller;
    const resource = `account/${account}`;
    const decision = authorize(
      this.#store,
      { action: "iam:account-key", caller, resource, requestId },
      (sql) => {
        if (!isSignedIn(sql, caller, seconds())) return refuse("invalid-token", "the sign-in has ended");
        if (!caller.accounts.includes(account))
          return refuse("forbidden", "the token does not name this account");
        const member = sql
          .exec(
            "SELECT 1 FROM members m JOIN accounts a ON a.id = m.account WHERE m.user = ? AND m.account = ? AND a.deleted IS NULL",
            caller.user,
            account,
          )
          .toArray();
        return member.length === 1
          ? ok(null)
          : refuse("forbidden", "the user is not a member of this account");
      },
    );
    if (!decision.ok) return decision;
    return fromHsm(requestId, async () => ok(await this.#accountKey(account)));
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
    const now = seconds();
    const master = await masterKey(this.#hsm, this.#store.tenant);
    const wrapped = await createAccountKey(this.#hsm, master, new Date((now - CLOCK_TOLERANCE) * 1000));
    this.#store.sql.exec(
      "INSERT INTO account_keys VALUES (?, ?, 1, ?, ?, ?) ON CONFLICT DO NOTHING",
      ...[crypto.randomUUID(), account, wrapped.buffer, master, now],
    );
    return currentAccountKey(this.#store.sql, account)!;
  }
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
