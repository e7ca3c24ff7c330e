import { DurableObject } from "cloudflare:workers";
import { seconds } from "#protocol/clock.ts";
import { authorize } from "../authorize.ts";
import { openHsm } from "../hsm/index.ts";
import { type Ledger, openLedger } from "../hsm/keys/index.ts";
import { takeTurn } from "../pace.ts";
import { ok, type Result, turnAway } from "../result.ts";
import { openStore, type Store } from "../store.ts";
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
import { tenantMigrations } from "./schema.ts";
import { changeApp, readSettings, type Settings } from "./settings.ts";

/**
 * What a tenant has once: the key of its tickets, the pace of people who come for the first time, and the users and accounts
 * of an earlier release, until their own objects have them. On no hot path. Reached by the `Iam` entrypoint and the IAM's
 * other objects alone.
 */
export class IamObject extends DurableObject<Env> {
  readonly #store: Store;
  readonly #ledger: Ledger;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = openStore(ctx, { domain: "iam", audit: env.AUDIT_IAM, migrations: tenantMigrations });
    // Account keys whose making was cut off in an earlier release.
    this.#ledger = openLedger(ctx, openHsm(env.HSM_IAM, env.COFFER_HSM_URL_IAM || env.COFFER_HSM_URL), "iam");
  }

  override async alarm(): Promise<void> {
    await this.#store.flush();
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

  /** An account of an earlier release, for its own object: the same answer until that has told us that it has it. */
  accountOfBefore(account: string): Promise<Moved | null> {
    return accountOfBefore(this.#store, account);
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
