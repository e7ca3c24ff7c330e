import { DurableObject } from "cloudflare:workers";
import { wakeBy } from "../alarm.ts";
import { authorize } from "../authorize.ts";
import { ok, type Result, turnAway } from "../result.ts";
import { hashSecret } from "../secret.ts";
import { openStore, type Store } from "../store.ts";

const migrations = [
  `CREATE TABLE proofs (jti TEXT PRIMARY KEY, seen INTEGER NOT NULL, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE INDEX proofs_seen ON proofs (seen);`,
] as const;

/** Requests by one DPoP key in ten seconds. */
const LIMIT = 1000;
const WINDOW_SECONDS = 10;

/** How often expired proofs are dropped; after the last one the object leaves nothing behind. Milliseconds. */
const SWEEP_MS = 15 * 60_000;

/** Remembers the DPoP proofs of one key, so that each works once (RFC 9449 §11.1). Named `<tenant>/<jkt>`. */
export class GatewayObject extends DurableObject<Env> {
  #opened: Store | undefined;
  #sweeping = false;

  get #store(): Store {
    const { ctx, env } = this;
    this.#opened ??= openStore(ctx, { domain: "gateway", audit: env.AUDIT_GATEWAY, migrations });
    return this.#opened;
  }

  /** Uses a proof up. A first use is no decision of its own; a refusal is, and leaves its audit row. */
  async useProof(proof: { jti: string; expires: number; requestId: string }): Promise<Result<null>> {
    const { expires, requestId } = proof;
    const jti = await hashSecret(proof.jti);
    const now = seconds();
    const { sql } = this.#store;
    const { recent } = sql
      .exec<{ recent: number }>("SELECT count(*) AS recent FROM proofs WHERE seen > ?", now - WINDOW_SECONDS)
      .one();
    const fresh = sql
      .exec("INSERT INTO proofs VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING jti", jti, now, expires)
      .toArray();
    if (!this.#sweeping) {
      this.#sweeping = true;
      this.ctx.waitUntil(wakeBy(this.ctx.storage, Date.now() + SWEEP_MS));
    }
    if (fresh.length === 1 && recent < LIMIT) return ok(null);
    const request = { action: "gateway:proof", caller: null, resource: "proof", requestId };
    return authorize(this.#store, request, () =>
      fresh.length === 1
        ? turnAway("too-many-requests", "rate limit")
        : turnAway("invalid-proof", "DPoP proof replayed"),
    );
  }

  override async alarm(): Promise<void> {
    const store = this.#store;
    await store.flush();
    store.sql.exec("DELETE FROM proofs WHERE expires <= ?", seconds());
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

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
