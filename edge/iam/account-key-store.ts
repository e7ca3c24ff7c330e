import { DurableObject } from "cloudflare:workers";
import { authorize } from "../authorize.ts";
import { forgetKept, KEPT_TABLE, keep, readKept } from "../keeping.ts";
import { ok, type Result } from "../result.ts";
import { hasStore, openStore, type Store, subjectOf } from "../store.ts";

/**
 * A store of its own for Enc(account) (W15), named `<tenant>/<account>`: it has nothing but that, and the IAM's object of the account,
 * which decides, is the only one that asks.
 */
export class IamAccountKeyObject extends DurableObject<Env> {
  #opened: Store | undefined;

  keep(name: string, value: Uint8Array<ArrayBuffer>, requestId: string): Result<null> {
    return this.#record("iam:keep-account-key", requestId, (sql) => keep(sql, name, value));
  }

  kept(name: string): Uint8Array<ArrayBuffer> | null {
    return hasStore(this.ctx) ? readKept(this.#open().sql, name) : null;
  }

  /** The key moved, or with no name the account was shredded. */
  forget(requestId: string, name?: string): Result<null> {
    if (!hasStore(this.ctx)) return ok(null);
    return this.#record("iam:forget-account-key", requestId, (sql) => forgetKept(sql, name));
  }

  override async alarm(): Promise<void> {
    if (hasStore(this.ctx)) await this.#open().flush();
  }

  #record(action: string, requestId: string, change: (sql: SqlStorage) => void): Result<null> {
    const store = this.#open();
    const about = { action, caller: null, resource: `account/${subjectOf(store.sql)}`, requestId };
    return authorize<null>(store, about, (sql) => {
      change(sql);
      return ok(null);
    });
  }

  #open(): Store {
    const { AUDIT_IAM: audit } = this.env;
    this.#opened ??= openStore(this.ctx, { domain: "iam", audit, migrations: [KEPT_TABLE] });
    return this.#opened;
  }
}
