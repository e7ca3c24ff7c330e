import { DurableObject } from "cloudflare:workers";
import { wakeBy } from "../alarm.ts";
import type { Page } from "../handover.ts";
import { hasStore, openStore, type Store } from "../store.ts";
import { forgetAccount, isMoved, type Moved, NOT_MOVED, pageOf } from "./moved.ts";
import { TENANT_MIGRATIONS } from "./schema.ts";
import { sweep } from "./sweep.ts";

/**
 * Documents of a whole tenant, as releases before objects by account left them. An account's own object takes them when it
 * is first used; until then this one sweeps them. It gets no new ones, and where there never were any it stays empty.
 */
export class DatastoreObject extends DurableObject<Env> {
  #opened: Store | undefined;
  #sweeping: Promise<void> | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    // What an earlier release left under way has its alarm already; what it decided last has still to be told.
    if (hasStore(ctx)) this.#open();
  }

  /** A page of the account's documents and the parts of its uploads: from the first on they are the asking object's. */
  async handover(account: string, after: string | null): Promise<Page<Moved>> {
    if (!hasStore(this.ctx)) return { rows: [], next: null };
    while (this.#sweeping) await this.#sweeping;
    const store = this.#open();
    return store.transaction(() => pageOf(store.sql, account, after));
  }

  /** The account's object has all of them. False while there are more to forget. */
  forget(account: string): boolean {
    if (!hasStore(this.ctx)) return true;
    const store = this.#open();
    return store.transaction(() => !isMoved(store.sql, account) || forgetAccount(store.sql, account));
  }

  override async alarm(): Promise<void> {
    if (!hasStore(this.ctx)) return;
    const store = this.#open();
    await store.flush();
    this.#sweeping ??= this.#sweep(store).finally(() => {
      this.#sweeping = undefined;
    });
    await this.#sweeping;
  }

  async #sweep(store: Store): Promise<void> {
    const next = await sweep(store, this.env.DOCUMENTS, NOT_MOVED);
    if (next !== null) await wakeBy(this.ctx.storage, next);
  }

  #open(): Store {
    const { ctx, env } = this;
    this.#opened ??= openStore(ctx, {
      domain: "datastore",
      audit: env.AUDIT_DATASTORE,
      migrations: TENANT_MIGRATIONS,
    });
    return this.#opened;
  }
}
