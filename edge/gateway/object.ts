import { DurableObject } from "cloudflare:workers";
import { seconds } from "#protocol/clock.ts";
import { wakeBy } from "../alarm.ts";
import { authorize } from "../authorize.ts";
import { configuredBound } from "../bound.ts";
import type { Result } from "../result.ts";
import { hashSecret } from "../secret.ts";
import { openStore, type Store } from "../store.ts";
import { migrations, Proofs } from "./proofs.ts";

/** Requests by one user in ten seconds, unless configured otherwise: several apps and devices that work hard. */
const DEFAULT_LIMIT = 1000;

/** How often expired proofs are dropped; after the last one the object leaves nothing behind. Milliseconds. */
const SWEEP_MS = 15 * 60_000;

/**
 * Remembers the DPoP proofs of one user's keys, so that each works once (RFC 9449 §11.1), and bounds their requests: by
 * user, since anyone can make as many keys as they like. Named `<tenant>/<user>`.
 */
export class GatewayObject extends DurableObject<Env> {
  #opened: { store: Store; proofs: Proofs } | undefined;
  #sweeping = false;

  #open(): { store: Store; proofs: Proofs } {
    if (this.#opened) return this.#opened;
    const { ctx, env } = this;
    const store = openStore(ctx, { domain: "gateway", audit: env.AUDIT_GATEWAY, migrations });
    this.#opened = { store, proofs: new Proofs(store.sql) };
    return this.#opened;
  }

  /** Consumes a proof. A first use is no decision of its own; a refusal is, and leaves its audit row. */
  async useProof(proof: {
    jkt: string;
    jti: string;
    expires: number;
    requestId: string;
  }): Promise<Result<null>> {
    const { expires, requestId } = proof;
    const jti = await hashSecret(`${proof.jkt}.${proof.jti}`);
    const { COFFER_REQUESTS_PER_TEN_SECONDS: configured } = this.env;
    const limit = configuredBound("COFFER_REQUESTS_PER_TEN_SECONDS", configured, DEFAULT_LIMIT);
    const { store, proofs } = this.#open();
    const used = proofs.use({ jti, expires }, { limit, now: seconds(Date.now()) });
    if (!this.#sweeping) {
      this.#sweeping = true;
      this.ctx.waitUntil(wakeBy(this.ctx.storage, Date.now() + SWEEP_MS));
    }
    if (used.ok) return used;
    const request = { action: "gateway:proof", caller: null, resource: "proof", requestId };
    return authorize(store, request, () => used);
  }

  override async alarm(): Promise<void> {
    const { store } = this.#open();
    await store.flush();
    store.sql.exec("DELETE FROM proofs WHERE expires <= ?", seconds(Date.now()));
    const { left } = store.sql
      .exec<{ left: number }>(
        `SELECT (SELECT count(*) FROM proofs) + (SELECT count(*) FROM audit_outbox)
         + (SELECT count(*) FROM bounded_denials) AS left`,
      )
      .one();
    this.#sweeping = left > 0;
    if (left > 0) return wakeBy(this.ctx.storage, Date.now() + SWEEP_MS);
    this.#opened = undefined;
    await this.ctx.storage.deleteAll();
  }
}
