import { DurableObject } from "cloudflare:workers";
import { type Checkpoint, EARLIER, type Head, type Link } from "#protocol/audit/index.ts";
import { seconds } from "#protocol/clock.ts";
import { SIGN_TYPE, SIGNER } from "#protocol/hierarchy/index.ts";
import { jwkFromSpki, thumbprint } from "#protocol/keys/index.ts";
import { wakeBy } from "../alarm.ts";
import { fromHsm, type Hsm, openHsm, signCompact } from "../hsm/index.ts";
import { fail, ok, type Result } from "../result.ts";
import { AGAIN_MS } from "./times.ts";

const PAGE = 500;

/** What earlier releases have left, besides `links`, `sources`, `heads` and `tenant`. */
const CLOSED =
  "CREATE TABLE IF NOT EXISTS closed (only INTEGER PRIMARY KEY CHECK (only = 1), logged INTEGER NOT NULL) STRICT";

/**
 * The one chain that a tenant had in earlier releases. It is closed: it has its last head signed, and tells the log, where
 * it is a source of its own. A tenant that never had one has nothing here, and nothing is written.
 */
export class AuditObject extends DurableObject<Env> {
  readonly #hsm: Hsm;
  readonly #sql: SqlStorage;
  readonly #exists: boolean;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#hsm = openHsm(env.HSM_AUDIT, env.COFFER_HSM_URL_AUDIT || env.COFFER_HSM_URL);
    const [table] = this.#sql
      .exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'tenant'")
      .toArray();
    this.#exists = table !== undefined;
    if (!this.#exists) return;
    this.#sql.exec(CLOSED);
    if (this.#unlogged() !== null) ctx.waitUntil(wakeBy(ctx.storage, Date.now()));
  }

  /** The last row that this chain has of that life of a source's outbox; 0 for none. */
  last(source: string, epoch: string): number {
    if (!this.#exists) return 0;
    const [known] = this.#sql
      .exec<{ outbox: number }>("SELECT outbox FROM sources WHERE source = ? AND epoch = ?", source, epoch)
      .toArray();
    return known?.outbox ?? 0;
  }

  /** Links after `sequence`, at most 500, each with the signed head that it was, if it was one. */
  links(sequence: number): (Link & { jws: string | null })[] {
    if (!this.#exists) return [];
    return this.#sql
      .exec<Link & { jws: string | null }>(
        `SELECT sequence, previous, entry, hash, jws FROM links LEFT JOIN heads USING (sequence)
         WHERE sequence > ? ORDER BY sequence LIMIT ?`,
        ...[sequence, PAGE],
      )
      .toArray();
  }

  override async alarm(): Promise<void> {
    const left = this.#unlogged();
    if (left === null) return;
    const signed = await this.#signHead(left.tenant, left.head);
    const told = signed.ok ? await this.#tell(left) : signed;
    if (!told.ok) await wakeBy(this.ctx.storage, Date.now() + AGAIN_MS);
  }

  async #tell({ tenant, head, epoch }: Unlogged): Promise<Result<null>> {
    const { sequence, hash } = head;
    const checkpoint: Checkpoint = { source: EARLIER, epoch, sequence, head: hash };
    const taken = await this.env.AUDIT_LOG_OBJECT.getByName(tenant)
      .take(tenant, [checkpoint])
      .catch(() => fail("internal"));
    if (taken.ok) this.#sql.exec("INSERT OR REPLACE INTO closed VALUES (1, ?)", sequence);
    return taken;
  }

  #signHead(tenant: string, head: Head): Promise<Result<null>> {
    return fromHsm("audit-head", async () => {
      const kept = this.#sql.exec("SELECT 1 FROM heads WHERE sequence = ?", head.sequence).toArray();
      if (kept.length > 0) return ok(null);
      const kid = await thumbprint(jwkFromSpki(await this.#hsm.publicKey(SIGNER.audit.publicKey)));
      const payload = { version: 1, tenant, ...head, iat: seconds(Date.now()) };
      const jws = await signCompact(this.#hsm, SIGNER.audit.key, { typ: SIGN_TYPE.audit, kid }, payload);
      this.#sql.exec("INSERT OR IGNORE INTO heads VALUES (?, ?)", head.sequence, jws);
      return ok(null);
    });
  }

  /** What the log has still to hear: nothing when it has, or when there is no chain. */
  #unlogged(): Unlogged | null {
    if (!this.#exists) return null;
    const [last] = this.#sql
      .exec<Link & { tenant: string }>(
        `SELECT links.*, tenant.name AS tenant FROM links, tenant
         WHERE NOT EXISTS (SELECT 1 FROM closed) ORDER BY sequence DESC LIMIT 1`,
      )
      .toArray();
    if (last === undefined) return null;
    const { tenant, sequence, hash, entry } = last;
    const { epoch }: { epoch: string } = JSON.parse(entry);
    return { tenant, head: { sequence, hash }, epoch };
  }
}

type Unlogged = { tenant: string; head: Head; epoch: string };
