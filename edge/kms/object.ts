import { DurableObject } from "cloudflare:workers";
import { seconds } from "#protocol/clock.ts";
import type { PolicyChange } from "#protocol/contract/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import type { Page } from "../handover.ts";
import { type Ledger, openLedger } from "../hsm/keys/index.ts";
import { type Decision, ok, type Result, turnAway } from "../result.ts";
import { hasStore, openStore, type Store } from "../store.ts";
import { neighboursOf } from "./context.ts";
import { tenantHsm } from "./hsm.ts";
import { forgetAccount, type Moved, pageOf } from "./moved.ts";
import { takePairTurns } from "./pair-turns.ts";
import { TENANT_MIGRATIONS } from "./schema.ts";
import { SeedsUnderWay, takeSeedTurn } from "./seed-turns.ts";
import {
  NO_POLICY,
  type PolicyVersion,
  policyVersions,
  putPolicy,
  type StoredPolicy,
} from "./stored-policy.ts";

/**
 * The KMS's state of a whole tenant: the policy that its admins have put, how much is derived from seeds and how many RSA pairs are made that
 * sign, and data keys as releases before objects by account left them, which an account's own object takes when it is first used. On no
 * hot path.
 */
export class KmsObject extends DurableObject<Env> {
  #opened: { store: Store; ledger: Ledger } | undefined;
  readonly #seeds = new SeedsUnderWay();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    // What an earlier release had under way at the HSM, and what was decided last.
    if (hasStore(ctx)) this.#open();
  }

  /** A page of the account's data keys. */
  handover(account: string, after: string | null): Page<Moved> {
    if (!hasStore(this.ctx)) return { rows: [], next: null };
    return pageOf(this.#open().store.sql, account, after);
  }

  /** The account's object has all of them. False while there are more to forget. */
  forget(account: string): boolean {
    return !hasStore(this.ctx) || forgetAccount(this.#open().store.sql, account);
  }

  /** For isolates, which keep it for some seconds. */
  policy(): StoredPolicy {
    if (!hasStore(this.ctx)) return NO_POLICY;
    const [current] = policyVersions(this.#open().store.sql, 1);
    return current === undefined ? NO_POLICY : { version: current.version, policy: current.policy };
  }

  /** By the IAM's word on who is an admin. Errors: `forbidden`, `conflict`, `bad-request`. */
  async putPolicy(caller: Caller, change: PolicyChange): Promise<Result<{ version: number }>> {
    return this.#administer("kms:put-policy", caller, (sql) =>
      putPolicy(sql, change, { by: caller.user, now: Date.now() }),
    );
  }

  async policies(caller: Caller): Promise<Result<PolicyVersion[]>> {
    return this.#administer("kms:list-policies", caller, (sql) => ok(policyVersions(sql)));
  }

  /** M9: whether the user may have a grant for keys of a seed now. */
  seedTurn(user: string): Decision<null> {
    return takeSeedTurn(this.#open().store.sql, user, seconds(Date.now()));
  }

  /** M17: whether the user may have so many RSA pairs made now. */
  pairTurns(user: string, count: number): Decision<null> {
    return takePairTurns(this.#open().store.sql, user, count, seconds(Date.now()));
  }

  /** M9: whether one more derivation may begin. Who began it ends it. */
  beginSeed(name: string): Decision<null> {
    return this.#seeds.begin(name, Date.now());
  }

  endSeed(name: string): void {
    this.#seeds.end(name);
  }

  /** Keys of another tenant were presented at this one's vault, with or without a grant: recorded here, of nobody who is known. */
  foreignKeys(action: string, requestId: string): Result<never> {
    const about = { action, caller: null, resource: "grant", requestId };
    const refusal = turnAway("invalid-grant", "keys of another tenant");
    return authorize<never>(this.#open().store, about, () => refusal);
  }

  async #administer<T>(
    action: string,
    caller: Caller,
    work: (sql: SqlStorage) => Decision<T>,
  ): Promise<Result<T>> {
    const { IAM } = neighboursOf(this.env);
    const admin = await IAM.administrator(caller, "kms/policy");
    // What is refused is in the IAM's log, and makes nothing here.
    if (!admin.ok) return admin;
    const about = { action, caller, resource: "policy", requestId: caller.requestId };
    return authorize<T>(this.#open().store, about, work);
  }

  override async alarm(): Promise<void> {
    if (!hasStore(this.ctx)) return;
    const { store, ledger } = this.#open();
    await store.flush();
    await ledger.sweep();
  }

  #open(): { store: Store; ledger: Ledger } {
    if (this.#opened) return this.#opened;
    const { ctx, env } = this;
    const store = openStore(ctx, { domain: "kms", audit: env.AUDIT_KMS, migrations: TENANT_MIGRATIONS });
    const ledger = openLedger(ctx, tenantHsm(env, store.tenant), "kms");
    this.#opened = { store, ledger };
    return this.#opened;
  }
}
