import { DurableObject } from "cloudflare:workers";
import { jwkFromSpki, thumbprint } from "#protocol/keys/index.ts";
import { wakeBy } from "../alarm.ts";
import { fromHsm, type Hsm, openHsm, signCompact } from "../hsm/index.ts";
import { fail, ok, type Result } from "../result.ts";
import { canonicalEntry, GENESIS, type Link, linkHash } from "./chain.ts";
import type { AuditRow } from "./row.ts";

export type Head = { sequence: number; hash: string };

const KEY = "coffer/sign/audit";
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
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS links (
        sequence INTEGER PRIMARY KEY, previous TEXT NOT NULL, entry TEXT NOT NULL, hash TEXT NOT NULL
      ) STRICT;
      CREATE TABLE IF NOT EXISTS sources (source TEXT PRIMARY KEY, outbox INTEGER NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS heads (sequence INTEGER PRIMARY KEY, jws TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS tenant (only INTEGER PRIMARY KEY CHECK (only = 1), name TEXT NOT NULL) STRICT;
    `);
  }

  /** Appends what is new of a source's outbox; a batch that comes twice is taken once. */
  append(batch: { tenant: string; source: string; rows: AuditRow[] }): Promise<Result<{ accepted: number }>> {
    const appended = this.#tail.then(() => this.#append(batch));
    this.#tail = appended.catch(() => {});
    return appended;
  }

  head(): Head {
    const [last] = this.#sql
      .exec<Head>("SELECT sequence, hash FROM links ORDER BY sequence DESC LIMIT 1")
      .toArray();
    return last ?? { sequence: 0, hash: GENESIS };
  }

  /** The head now, as a compact JWS by the HSM's audit key: typ `coffer-audit-head+jwt`. */
  signedHead(): Promise<Result<string>> {
    return fromHsm("audit-head", async () => {
      const head = this.head();
      const [tenant] = this.#sql.exec<{ name: string }>("SELECT name FROM tenant").toArray();
      if (tenant === undefined) return fail("not-found");
      const [kept] = this.#sql
        .exec<{ jws: string }>("SELECT jws FROM heads WHERE sequence = ?", head.sequence)
        .toArray();
      if (kept !== undefined) return ok(kept.jws);
      const kid = await thumbprint(jwkFromSpki(await this.#hsm.publicKey(`${KEY}/public`)));
      const payload = { version: 1, tenant: tenant.name, ...head, iat: Math.floor(Date.now() / 1000) };
      const jws = await signCompact(this.#hsm, KEY, { typ: "coffer-audit-head+jwt", kid }, payload);
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

  async #append(batch: {
    tenant: string;
    source: string;
    rows: AuditRow[];
  }): Promise<Result<{ accepted: number }>> {
    const { tenant, source, rows } = batch;
    const [known] = this.#sql
      .exec<{ outbox: number }>("SELECT outbox FROM sources WHERE source = ?", source)
      .toArray();
    let seen = known?.outbox ?? 0;
    let { sequence, hash } = this.head();
    const links: Link[] = [];
    for (const row of rows) {
      if (row.outbox <= seen) continue;
      seen = row.outbox;
      sequence += 1;
      const previous = hash;
      const entry = canonicalEntry(sequence, source, row);
      hash = await linkHash(previous, entry);
      links.push({ sequence, previous, entry, hash });
    }
    if (links.length === 0) return ok({ accepted: 0 });
    this.ctx.storage.transactionSync(() => {
      for (const link of links) {
        this.#sql.exec(
          "INSERT INTO links VALUES (?, ?, ?, ?)",
          link.sequence,
          link.previous,
          link.entry,
          link.hash,
        );
      }
      this.#sql.exec("INSERT OR IGNORE INTO tenant VALUES (1, ?)", tenant);
      this.#sql.exec("INSERT OR REPLACE INTO sources VALUES (?, ?)", source, seen);
    });
    await wakeBy(this.ctx.storage, Date.now() + SIGN_AFTER_MS);
    return ok({ accepted: links.length });
  }
}
