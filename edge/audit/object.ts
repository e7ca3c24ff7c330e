import { DurableObject } from "cloudflare:workers";
import type { Head, Link } from "#protocol/audit/index.ts";
import { seconds } from "#protocol/clock.ts";
import { SIGN_TYPE, SIGNER } from "#protocol/hierarchy/index.ts";
import { jwkFromSpki, thumbprint } from "#protocol/keys/index.ts";
import { wakeBy } from "../alarm.ts";
import { fromHsm, type Hsm, openHsm, signCompact } from "../hsm/index.ts";
import { fail, ok, type Result } from "../result.ts";
import { append, type Batch, headOf, SCHEMA } from "./append.ts";

/** After an append, the head is signed within this time; a busy tenant costs the HSM one signature in this time. */
const SIGN_AFTER_MS = 2000;
const SIGN_AGAIN_MS = 30_000;
const PAGE = 500;

/** The chain of one tenant. Not built on `openStore`: this is where the outboxes end. */
export class AuditObject extends DurableObject<Env> {
  readonly #sql: SqlStorage;
  readonly #hsm: Hsm;
  /** Appends one after the other: each link needs the hash of the one before, and hashing is asynchronous. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#hsm = openHsm(env.HSM_AUDIT, env.COFFER_HSM_URL);
    this.#sql.exec(SCHEMA);
  }

  /** Appends what is new of a source's outbox; a batch that comes twice is taken once. */
  append(batch: Batch): Promise<Result<{ accepted: number }>> {
    const appended = this.#tail.then(() => this.#append(batch));
    this.#tail = appended.catch(() => {});
    return appended;
  }

  head(): Head {
    return headOf(this.#sql);
  }

  /** The head now, as a compact JWS by the HSM's audit key. */
  signedHead(): Promise<Result<string>> {
    return fromHsm("audit-head", async () => {
      const head = this.head();
      const [tenant] = this.#sql.exec<{ name: string }>("SELECT name FROM tenant").toArray();
      if (tenant === undefined) return fail("not-found");
      const [kept] = this.#sql
        .exec<{ jws: string }>("SELECT jws FROM heads WHERE sequence = ?", head.sequence)
        .toArray();
      if (kept !== undefined) return ok(kept.jws);
      const kid = await thumbprint(jwkFromSpki(await this.#hsm.publicKey(SIGNER.audit.publicKey)));
      const payload = { version: 1, tenant: tenant.name, ...head, iat: seconds(Date.now()) };
      const jws = await signCompact(this.#hsm, SIGNER.audit.key, { typ: SIGN_TYPE.audit, kid }, payload);
      this.#sql.exec("INSERT OR IGNORE INTO heads VALUES (?, ?)", head.sequence, jws);
      return ok(jws);
    });
  }

  /** The newest head that is signed already, or null. */
  lastSignedHead(): string | null {
    const [kept] = this.#sql
      .exec<{ jws: string }>("SELECT jws FROM heads ORDER BY sequence DESC LIMIT 1")
      .toArray();
    return kept?.jws ?? null;
  }

  /** Links after `sequence`, at most 500. */
  links(sequence: number): Link[] {
    return this.#sql
      .exec<Link>("SELECT * FROM links WHERE sequence > ? ORDER BY sequence LIMIT ?", sequence, PAGE)
      .toArray();
  }

  override async alarm(): Promise<void> {
    const signed = await this.signedHead();
    if (!signed.ok) await wakeBy(this.ctx.storage, Date.now() + SIGN_AGAIN_MS);
  }

  async #append(batch: Batch): Promise<Result<{ accepted: number }>> {
    const { storage } = this.ctx;
    const [own] = this.#sql.exec<{ name: string }>("SELECT name FROM tenant").toArray();
    if (own !== undefined && own.name !== batch.tenant) return fail("forbidden");
    const accepted = await append(this.#sql, (closure) => storage.transactionSync(closure), batch);
    if (accepted > 0) await wakeBy(storage, Date.now() + SIGN_AFTER_MS);
    return ok({ accepted });
  }
}
