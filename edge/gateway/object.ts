import { DurableObject } from "cloudflare:workers";
import { authorize } from "../authorize.ts";
import { ok, type Result, refuse } from "../result.ts";
import { hashSecret } from "../secret.ts";
import { openStore, type Store } from "../store.ts";

const migrations = [
  `CREATE TABLE proofs (jti TEXT PRIMARY KEY, seen INTEGER NOT NULL, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE INDEX proofs_seen ON proofs (seen);`,
] as const;

/** Requests by one DPoP key in ten seconds. */
const LIMIT = 1000;
const WINDOW_SECONDS = 10;

/** Remembers the DPoP proofs of one key, so that each works once (RFC 9449 §11.1). Named `<tenant>/<jkt>`. */
export class GatewayObject extends DurableObject<Env> {
  readonly #store: Store;
  #swept = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = openStore(ctx, { domain: "gateway", audit: env.AUDIT, migrations });
  }

  /** Uses a proof up. A first use is no decision of its own; a refusal is, and leaves its audit row. */
  async useProof(proof: { jti: string; expires: number; requestId: string }): Promise<Result<null>> {
    const { expires, requestId } = proof;
    const jti = await hashSecret(proof.jti);
    const now = Math.floor(Date.now() / 1000);
    const { sql } = this.#store;
    if (now - this.#swept > WINDOW_SECONDS) {
      sql.exec("DELETE FROM proofs WHERE expires <= ?", now);
      this.#swept = now;
    }
    const { recent } = sql
      .exec<{ recent: number }>("SELECT count(*) AS recent FROM proofs WHERE seen > ?", now - WINDOW_SECONDS)
      .one();
    const fresh = sql
      .exec("INSERT INTO proofs VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING jti", jti, now, expires)
      .toArray();
    if (fresh.length === 1 && recent < LIMIT) return ok(null);
    const request = { action: "gateway:proof", caller: null, resource: "proof", requestId };
    return authorize(this.#store, request, () =>
      fresh.length === 1
        ? refuse("too-many-requests", "rate limit")
        : refuse("invalid-proof", "DPoP proof replayed"),
    );
  }

  override alarm(): Promise<void> {
    return this.#store.flush();
  }
}
