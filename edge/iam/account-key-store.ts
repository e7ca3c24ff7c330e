import { DurableObject } from "cloudflare:workers";
import { seconds } from "#protocol/clock.ts";
import { authorize } from "../authorize.ts";
import { forgetKept, readKept } from "../keeping.ts";
import { type Decision, ok, type Result } from "../result.ts";
import { hasStore, openStore, type Store, subjectOf } from "../store.ts";
import { KEPT_UNTIL_SHRED, keepUntilShred, shredKept } from "./kept-until-shred.ts";

/**
 * A store of its own for Enc(account) (W15), named `<tenant>/<account>`: it has nothing but that, and the IAM's object of the account,
 * which decides, is the only one that asks.
 */
export class IamAccountKeyObject extends DurableObject<Env> {
  #opened: Store | undefined;

  /** Errors: `forbidden` once the account is shredded. */
  keep(name: string, value: Uint8Array<ArrayBuffer>, requestId: string): Result<null> {
    return this.#record("iam:keep-account-key", requestId, (sql) => keepUntilShred(sql, name, value));
  }

  kept(name: string): Uint8Array<ArrayBuffer> | null {
    return hasStore(this.ctx) ? readKept(this.#open().sql, name) : null;
  }

  /** The key moved. */
  forget(requestId: string, name: string): Result<null> {
    if (!hasStore(this.ctx)) return ok(null);
    return this.#record("iam:forget-account-key", requestId, (sql) => {
      forgetKept(sql, name);
      return ok(null);
    });
  }

  /** For good, also where nothing was kept: what is under way comes afterwards. */
  shredded(requestId: string): Result<null> {
    return this.#record("iam:forget-account-key", requestId, (sql) => {
      shredKept(sql, seconds(Date.now()));
      return ok(null);
    });
  }

  override async alarm(): Promise<void> {
    if (hasStore(this.ctx)) await this.#open().flush();
  }

  #record(action: string, requestId: string, change: (sql: SqlStorage) => Decision<null>): Result<null> {
    const store = this.#open();
    const about = { action, caller: null, resource: `account/${subjectOf(store.sql)}`, requestId };
    return authorize<null>(store, about, change);
  }

  #open(): Store {
    const { AUDIT_IAM: audit } = this.env;
    this.#opened ??= openStore(this.ctx, { domain: "iam", audit, migrations: KEPT_UNTIL_SHRED });
    return this.#opened;
  }
}
