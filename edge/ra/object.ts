import { DurableObject } from "cloudflare:workers";
import { type Hsm, openHsm } from "../hsm/index.ts";
import { type Ledger, openLedger } from "../hsm/keys/index.ts";
import { openStore, type Store } from "../store.ts";
import { namesOf, retireEnded } from "./retire.ts";
import { MIGRATIONS } from "./schema.ts";

/**
 * What an earlier release kept for a whole tenant. Nobody asks it any more: its instances have ended with the sign-ins of that
 * release, and it has the HSM forget them.
 */
export class RaObject extends DurableObject<Env> {
  readonly #store: Store;
  readonly #recipients: Hsm;
  readonly #ledger: Ledger;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = openStore(ctx, { domain: "ra", audit: env.AUDIT_RA, migrations: MIGRATIONS });
    this.#recipients = openHsm(env.HSM_RECIPIENTS, env.COFFER_HSM_URL);
    this.#ledger = openLedger(ctx, this.#recipients, "ra", ({ id }) => namesOf(id));
  }

  override async alarm(): Promise<void> {
    await this.#store.flush();
    await this.#ledger.sweep();
    await retireEnded(this.ctx.storage, this.#recipients);
  }
}
