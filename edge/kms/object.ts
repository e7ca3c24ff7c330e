import { DurableObject } from "cloudflare:workers";
import type { Page } from "../handover.ts";
import { openHsm } from "../hsm/index.ts";
import { type Ledger, openLedger } from "../hsm/keys/index.ts";
import { hasStore, openStore, type Store } from "../store.ts";
import { forgetAccount, type Moved, pageOf } from "./moved.ts";
import { TENANT_MIGRATIONS } from "./schema.ts";

/**
 * The KMS's state of a whole tenant: data keys as releases before objects by account left them, which an account's own
 * object takes when it is first used.
 */
export class KmsObject extends DurableObject<Env> {
  #opened: { store: Store; ledger: Ledger } | undefined;

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
    const ledger = openLedger(ctx, openHsm(env.HSM_KMS, env.COFFER_HSM_URL), "kms");
    this.#opened = { store, ledger };
    return this.#opened;
  }
}
