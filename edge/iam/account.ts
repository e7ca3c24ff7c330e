import { DurableObject } from "cloudflare:workers";
import { seconds } from "#protocol/clock.ts";
import { ownAccountId } from "#protocol/principal.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { fromHsm, type Hsm, openHsm } from "../hsm/index.ts";
import { type Ledger, openLedger } from "../hsm/keys/index.ts";
import { intend, type Outbox, openOutbox } from "../outbox.ts";
import { fail, ok, type Result } from "../result.ts";
import { hasStore, openStore, type Store } from "../store.ts";
import { createAccountKey, currentAccountKey, masterKey } from "./account-keys.ts";
import type { Moved } from "./earlier.ts";
import { checkMember, isFounded, keepAccount } from "./members.ts";
import { accountMigrations } from "./schema.ts";
import type { AccountKey } from "./types.ts";

/** What a principal's object tells that of an account until it was heard. Heard again, it changes nothing. */
export type Founding = {
  account: string;
  principal: string;
  name: string;
  created: number;
  /** The tenant's object has it from an earlier release. */
  earlier: boolean;
  requestId: string;
};

type Opened = { store: Store; ledger: Ledger; outbox: Outbox };

/**
 * One account, named `<tenant>/<account>`: the authority on who its members are, and Enc(account key). A request may name any
 * account: an object that nobody founded keeps nothing and refuses.
 */
export class IamAccountObject extends DurableObject<Env> {
  readonly #hsm: Hsm;
  #opened: Opened | undefined;
  /** The account key that is being made, so that two first requests make one. */
  #making: Promise<AccountKey> | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#hsm = openHsm(env.HSM_IAM, env.COFFER_HSM_URL);
    if (hasStore(ctx)) this.#open();
  }

  override async alarm(): Promise<void> {
    const { store, outbox, ledger } = this.#open();
    await store.flush();
    await outbox.send();
    await ledger.sweep();
  }

  /** Begins the account: with its first member, or as an earlier release knew it. */
  async found(founding: Founding): Promise<Result<null>> {
    if (this.#opened && isFounded(this.#opened.store.sql)) return ok(null);
    const { account, principal, requestId, earlier } = founding;
    const [tenant = "", own] = this.ctx.id.name?.split("/") ?? [];
    if (own !== account) return fail("forbidden");
    const begun = earlier
      ? await this.env.IAM_OBJECT.getByName(tenant).accountOfBefore(account)
      : await newAccount(tenant, founding);
    if (begun === null) return fail("forbidden");
    const { store, outbox } = this.#open();
    const about = { action: "iam:account", caller: null, resource: `account/${account}`, requestId };
    const founded = authorize<null>(store, { ...about, user: principal }, (sql) => {
      keepAccount(sql, account, begun);
      if (earlier) intend(sql, "tenant", { moved: account });
      return ok(null);
    });
    await outbox.send();
    return founded;
  }

  /** For a neighbour, who records what it decides by it. */
  member(caller: Caller): Result<null> {
    const sql = this.#opened?.store.sql;
    if (sql === undefined) return fail("forbidden");
    const decision = checkMember(sql, caller.user);
    return decision.ok ? decision : { ok: false, problem: decision.problem };
  }

  /** W11: the current key, encrypted under the master key; made at the first request of a member. */
  async accountKey(account: string, caller: Caller): Promise<Result<AccountKey>> {
    if (this.#opened === undefined) return fail("forbidden");
    const { store, ledger } = this.#opened;
    const { requestId } = caller;
    const about = { action: "iam:account-key", caller, resource: `account/${account}`, requestId };
    const decision = authorize(store, about, (sql) => checkMember(sql, caller.user));
    if (!decision.ok) return decision;
    return fromHsm(requestId, async () => ok(await this.#accountKey(store, ledger)));
  }

  #accountKey(store: Store, ledger: Ledger): Promise<AccountKey> {
    const current = currentAccountKey(store.sql);
    if (current !== null) return Promise.resolve(current);
    this.#making ??= this.#makeAccountKey(store, ledger).finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  async #makeAccountKey({ sql, tenant }: Store, ledger: Ledger): Promise<AccountKey> {
    const now = seconds(Date.now());
    const master = await masterKey(this.#hsm, tenant);
    const wrapped = await createAccountKey(this.#hsm, ledger, master);
    sql.exec(
      "INSERT INTO account_keys VALUES (?, 1, ?, ?, ?) ON CONFLICT DO NOTHING",
      ...[crypto.randomUUID(), wrapped.buffer, master, now],
    );
    const kept = currentAccountKey(sql);
    if (!kept) throw new Error("the account key was not kept");
    return kept;
  }

  #open(): Opened {
    if (this.#opened) return this.#opened;
    const { ctx, env } = this;
    const store = openStore(ctx, { domain: "iam", audit: env.AUDIT_IAM, migrations: accountMigrations });
    const ledger = openLedger(ctx, this.#hsm, "iam");
    const outbox = openOutbox<{ moved: string }>(ctx, async (_, [message]) =>
      message ? env.IAM_OBJECT.getByName(store.tenant).moved(message.moved) : ok(null),
    );
    this.#opened = { store, ledger, outbox };
    return this.#opened;
  }
}

/** An id is of its first member: nobody founds what could be another's. */
async function newAccount(
  tenant: string,
  { account, principal, name, created }: Founding,
): Promise<Moved | null> {
  if (account !== (await ownAccountId({ tenant, principal }))) return null;
  return { name, created, deleted: null, members: [principal], keys: [] };
}
