import { DurableObject } from "cloudflare:workers";
import { seconds } from "#protocol/clock.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { openHsm } from "../hsm/index.ts";
import { type Ledger, openLedger } from "../hsm/keys/index.ts";
import { type Outbox, openOutbox } from "../outbox.ts";
import { takeTurn } from "../pace.ts";
import { type Decision, fail, ok, type Result, refuse, turnAway } from "../result.ts";
import { openStore, type Store } from "../store.ts";
import type { Administrator } from "./administrators.ts";
import { signInsPerMinute } from "./bounds.ts";
import {
  accountOfBefore,
  accountsOfBefore,
  forgetAccount,
  forgetKeys,
  type Membership,
  type Moved,
} from "./earlier.ts";
import { rawTicketKey } from "./kept-key.ts";
import { readKeyChange, takeKeyChange } from "./key-change.ts";
import {
  type ClientRow,
  dropClient,
  findRegistered,
  isClient,
  isUnheard,
  keepClient,
  listClients,
  type NewClient,
  type Registered,
} from "./registered-clients.ts";
import {
  type Appointing,
  appoint,
  type GroupMemberRow,
  type GroupRow,
  hasRole,
  listGroup,
  listGroups,
  listRoles,
  type RoleRow,
} from "./roles.ts";
import { tenantMigrations } from "./schema.ts";
import { changeApp, readSettings, type Settings } from "./settings.ts";
import type { Appointment } from "./standing.ts";
import { useOnce } from "./used-once.ts";

/** When to ask again where a client's own object has not heard yet that it was removed. */
const UNHEARD_SECONDS = 5;

/** Accounts of an earlier release, for the list that a rotation of the master key goes through. */
type Listed = { listed: string };
const LISTED = "listed";
const isListed = (message: object): message is Listed => "listed" in message;

/** What the tenant's object needs of its neighbours. */
interface Neighbours {
  KMS: { listed(of: { tenant: string; account: string }): Promise<Result<null>> };
}

/**
 * What a tenant has once: the key of its tickets, the pace of people who come for the first time, and the users and accounts
 * of an earlier release, until their own objects have them. On no hot path. Reached by the `Iam` entrypoint and the IAM's
 * other objects alone.
 */
export class IamObject extends DurableObject<Env> {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #outbox: Outbox;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = openStore(ctx, { domain: "iam", audit: env.AUDIT_IAM, migrations: tenantMigrations });
    // Account keys whose making was cut off in an earlier release.
    this.#ledger = openLedger(ctx, openHsm(env.HSM_IAM, env.COFFER_HSM_URL_IAM || env.COFFER_HSM_URL), "iam");
    type Message = Appointment | { registered: Registered } | Listed;
    this.#outbox = openOutbox<Message>(ctx, async (addressee, messages) => {
      if (addressee === LISTED) return this.#list(messages.filter(isListed));
      const principal = addressee.slice("principal/".length);
      const object = env.IAM_PRINCIPAL_OBJECT.getByName(`${this.#store.tenant}/${principal}`);
      const appointments = messages.flatMap((message) => ("kind" in message ? [message] : []));
      const heard = appointments.length > 0 ? await object.appointed(appointments) : ok(null);
      const registrations = messages.flatMap((message) =>
        "registered" in message ? [message.registered] : [],
      );
      return heard.ok && registrations.length > 0 ? object.registered(registrations) : heard;
    });
  }

  /** Gives or takes a role or a place in a group: it holds from the next request on. */
  async appoint(by: Administrator, change: Appointing): Promise<Result<null>> {
    const { kind, value, holds, user } = change;
    const verb = holds ? "give" : "take";
    const about = { action: `iam:${verb}-${kind}`, resource: `user/${user}/${kind}/${value}` };
    const decision = this.#administer(about, by, (sql) =>
      appoint(sql, change, { by: by.caller.user, now: seconds(Date.now()) }),
    );
    await this.#outbox.send();
    return decision;
  }

  /** W9: an application server that is a client of its own. */
  async registerClient(
    by: Administrator,
    client: NewClient,
    signed: { change: string; audience: string } | null,
  ): Promise<Result<{ id: string }>> {
    const { requestId, user } = by.caller;
    const now = seconds(Date.now());
    const about = { action: "iam:register-client", resource: `client/${client.name}` };
    const before = findRegistered(this.#store.sql, client.name);
    const word =
      signed && before && (await readKeyChange(signed.change, { ...signed, ...before, to: client.key, now }));
    const decision = this.#administer(about, by, (sql) => {
      const current = findRegistered(sql, client.name);
      // Asked again, it has this key already.
      const changes = signed !== null && current?.key !== client.key;
      const follows =
        changes && word !== null && takeKeyChange(sql, word, now) && current?.number === before?.number;
      if (changes && !follows) return refuse("forbidden", "the key before has not signed for this one");
      return keepClient(sql, client, { by: user, now, requestId, follows });
    });
    return this.#heard(client.name, decision);
  }

  /** The same removed, with all that was issued to it: answered when its own object has heard, since it decides on tokens. */
  async removeClient(by: Administrator, name: string): Promise<Result<null>> {
    const about = { action: "iam:remove-client", resource: `client/${name}` };
    const decision = this.#administer(about, by, (sql) => dropClient(sql, name, by.caller.requestId));
    return this.#heard(name, decision);
  }

  async #heard<T>(name: string, decision: Result<T>): Promise<Result<T>> {
    await this.#outbox.send();
    if (!decision.ok || !isUnheard(this.#store.sql, name)) return decision;
    const { problem } = fail("internal");
    return { ok: false, problem: { ...problem, retryAfter: UNHEARD_SECONDS } };
  }

  clients(by: Administrator): Result<ClientRow[]> {
    const about = { action: "iam:list-clients", resource: "clients" };
    return this.#administer(about, by, (sql) => ok(listClients(sql)));
  }

  administrator(by: Administrator, resource: string): Result<null> {
    return this.#administer({ action: "iam:administer", resource }, by, () => ok(null));
  }

  roles(by: Administrator): Result<RoleRow[]> {
    return this.#administer({ action: "iam:list-roles", resource: "roles" }, by, (sql) => ok(listRoles(sql)));
  }

  groups(by: Administrator): Result<GroupRow[]> {
    return this.#administer({ action: "iam:list-groups", resource: "groups" }, by, (sql) =>
      ok(listGroups(sql)),
    );
  }

  group(by: Administrator, name: string, after: string): Result<GroupMemberRow[]> {
    const about = { action: "iam:list-group", resource: `group/${name}` };
    return this.#administer(about, by, (sql) => ok(listGroup(sql, name, after)));
  }

  /** Whether the caller, an auditor by this object's own word, may read about a subject; null for the tenant's own. */
  readAudit(by: { caller: Caller; page: boolean; subject: string | null }): Result<null> {
    const { caller, page, subject } = by;
    const resource = subject === null ? "audit" : `audit/${subject}`;
    const about = { action: "iam:read-audit", resource, caller, requestId: caller.requestId };
    return authorize<null>(this.#store, about, (sql) => {
      if (!page) return refuse("forbidden", "the audit is read by the shipped page's client alone");
      if (isClient(sql, caller.user)) return refuse("forbidden", "an application server is no auditor");
      return hasRole(sql, caller.user, "auditor") ? ok(null) : refuse("forbidden", "the user is no auditor");
    });
  }

  /** By this object's own word on roles, which is ahead of any copy, or the deployment's setting. */
  #administer<T>(
    about: { action: string; resource: string },
    { caller, named, page }: Administrator,
    work: (sql: SqlStorage) => Decision<T>,
  ): Result<T> {
    const { requestId } = caller;
    return authorize<T>(this.#store, { ...about, caller, requestId }, (sql) => {
      if (!page) return refuse("forbidden", "administration is for the shipped page's client alone");
      if (isClient(sql, caller.user)) return refuse("forbidden", "an application server is no admin");
      if (!named && !hasRole(sql, caller.user, "admin")) return refuse("forbidden", "the user is no admin");
      return work(sql);
    });
  }

  override async alarm(): Promise<void> {
    await this.#store.flush();
    await this.#outbox.alarm();
    await this.#ledger.sweep();
  }

  /** For isolates, which keep it: of tickets, and by derivation of sign-ins under way. */
  ticketKey(): Uint8Array<ArrayBuffer> {
    return rawTicketKey(this.#store.sql);
  }

  /** For isolates, which keep it for a while. */
  settings(): Settings {
    return readSettings(this.#store.sql);
  }

  /** Denies one of the tenant's apps, or allows it again. */
  changeApp(change: { app: string; denied: boolean; requestId: string }): Result<null> {
    const { app, denied, requestId } = change;
    const action = denied ? "iam:deny-app" : "iam:allow-app";
    return authorize<null>(
      this.#store,
      { action, caller: null, resource: `client/${app}`, requestId },
      (sql) => {
        changeApp(sql, app, denied, Date.now());
        return ok(null);
      },
    );
  }

  /**
   * Lets somebody in who has not signed in before, as often as all of those may; answers the accounts that the name had in an
   * earlier release, where people signed in by name alone.
   */
  admit({ name, requestId }: { name: string | null; requestId: string }): Result<Membership[]> {
    const about = { action: "iam:admit", caller: null, resource: "user", requestId };
    return authorize(this.#store, about, (sql) => {
      const perMinute = signInsPerMinute(this.env);
      const turn = takeTurn(sql, { what: "iam:admit", user: "everyone new" }, perMinute, seconds(Date.now()));
      if (!turn.ok) return turn;
      return ok(name === null ? [] : accountsOfBefore(sql, name));
    });
  }

  /** Somebody came back from the provider and was not signed in: nobody knows who it was. */
  refuseSignIn({ reason, requestId }: { reason: string; requestId: string }): Result<null> {
    const about = { action: "iam:identify", caller: null, resource: "identity-provider", requestId };
    return authorize<null>(this.#store, about, () => turnAway("forbidden", reason));
  }

  /** A logout token that was not taken: nobody knows whose it is. */
  refuseLogout({ reason, requestId }: { reason: string; requestId: string }): Result<null> {
    const about = { action: "iam:provider-logout", caller: null, resource: "identity-provider", requestId };
    return authorize<null>(this.#store, about, () => turnAway("bad-request", reason));
  }

  /** Whether nobody has come back with this transaction before. Asked before the provider is, by its shard of the tenant. */
  takeTransaction({ id, until }: { id: string; until: number }): boolean {
    return useOnce(this.#store.sql, { kind: "transaction", id, expires: until }, seconds(Date.now()));
  }

  /** An account of an earlier release, for its own object: the same answer until that has told us that it has it. */
  accountOfBefore(account: string): Promise<Moved | null> {
    return accountOfBefore(this.#store, account);
  }

  /** W12: how many accounts of an earlier release the KMS's list has still to hear of. */
  unlisted(): number {
    const { waiting } = this.#store.sql
      .exec<{ waiting: number }>("SELECT count(*) AS waiting FROM outbox WHERE addressee = ?", LISTED)
      .one();
    return waiting;
  }

  async #list(messages: Listed[]): Promise<Result<null>> {
    const KMS: Neighbours["KMS"] = this.env.KMS_FOR_IAM;
    const { tenant } = this.#store;
    const heard = await Promise.all(messages.map(({ listed }) => KMS.listed({ tenant, account: listed })));
    return heard.find(({ ok }) => !ok) ?? ok(null);
  }

  /** The account's own object has its keys: here they are forgotten. */
  moved(account: string): Result<null> {
    this.#store.transaction(() => forgetKeys(this.#store.sql, account));
    return ok(null);
  }

  /** The account's own object has shredded it. */
  shredded(account: string): Result<null> {
    this.#store.transaction(() => forgetAccount(this.#store.sql, account, seconds(Date.now())));
    return ok(null);
  }
}
