import { DurableObject } from "cloudflare:workers";
import { type Checkpoint, rootPayload } from "#protocol/audit/index.ts";
import { seconds } from "#protocol/clock.ts";
import { SIGN_TYPE, SIGNER, TRUST_LIST } from "#protocol/hierarchy/index.ts";
import { jwkFromSpki, thumbprint } from "#protocol/keys/index.ts";
import { decodeBundle, rootOf } from "#protocol/log/index.ts";
import { wakeBy } from "../alarm.ts";
import { fromHsm, type Hsm, openHsm, signCompact } from "../hsm/index.ts";
import { fail, ok, type Result } from "../result.ts";
import { MAX_CHECKPOINTS } from "./gathering.ts";
import { AGAIN_MS, delays } from "./times.ts";
import { frontierOf, leavesHere, moveTiles, SCHEMA as TREE, take, tileKey, wholePath } from "./tree.ts";

/** `trust`: the trust list as it was when `kid` signed, at most a day older than the last root. */
const SCHEMA = `
  ${TREE}
  CREATE TABLE IF NOT EXISTS roots (size INTEGER PRIMARY KEY, jws TEXT NOT NULL, signed INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS trust (
    only INTEGER PRIMARY KEY CHECK (only = 1), list TEXT NOT NULL, kid TEXT NOT NULL, read INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS log (only INTEGER PRIMARY KEY CHECK (only = 1), tenant TEXT NOT NULL) STRICT;
`;

const PAGE = 500;
const DAY = 24 * 3600;
/** Of roots before the last so many, each day's last is kept. */
const ROOTS = 1000;

/** What an export begins with: how much of the log is signed, and the trust list that says by whom. */
export type LogState = { size: number; trust: string };

/** A tenant's log of checkpoints, append-only. The HSM signs its roots. */
export class AuditLogObject extends DurableObject<Env> {
  readonly #hsm: Hsm;
  #opened: SqlStorage | undefined;
  /** Leaves one after the other: each hash needs those before. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#hsm = openHsm(env.HSM_AUDIT, env.COFFER_HSM_URL_AUDIT || env.COFFER_HSM_URL);
  }

  get #sql(): SqlStorage {
    const { sql } = this.ctx.storage;
    if (this.#opened === undefined) sql.exec(SCHEMA);
    this.#opened = sql;
    return sql;
  }

  /** Takes checkpoints. One that comes again is taken once; one that goes back is left out, which is said in the edge's log. */
  take(tenant: string, checkpoints: Checkpoint[]): Promise<Result<null>> {
    const taken = this.#tail.then(() => this.#take(tenant, checkpoints));
    this.#tail = taken.catch(() => {});
    return taken;
  }

  /** Null before the first root. */
  state(): LogState | null {
    const [state] = this.#sql
      .exec<LogState>("SELECT size, list AS trust FROM roots, trust ORDER BY size DESC LIMIT 1")
      .toArray();
    return state ?? null;
  }

  /** The newest signed root, a compact JWS; null before the first. */
  lastSignedRoot(): string | null {
    const [last] = this.#sql
      .exec<{ jws: string }>("SELECT jws FROM roots ORDER BY size DESC LIMIT 1")
      .toArray();
    return last?.jws ?? null;
  }

  /** Roots of more than `size` leaves. */
  roots(size: number): { size: number; jws: string }[] {
    return this.#sql
      .exec<{ size: number; jws: string }>(
        "SELECT size, jws FROM roots WHERE size > ? ORDER BY size LIMIT ?",
        ...[size, PAGE],
      )
      .toArray();
  }

  /** The entries of a bundle: 256 leaves, fewer in the last one. */
  async bundle(index: number): Promise<string[]> {
    const here = leavesHere(this.#sql, index);
    if (Array.isArray(here)) return here;
    const bytes = here ?? (await this.#stored(index));
    return decodeBundle(new Uint8Array(bytes)).map((entry) => new TextDecoder().decode(entry));
  }

  /** Names of sources after this one that are among the first `size` leaves, in the order of their UTF-8. */
  sources(after: string, size: number): string[] {
    return this.#sql
      .exec<{ source: string }>(
        "SELECT source FROM sources WHERE source > ? AND first < ? ORDER BY source LIMIT ?",
        ...[after, size, PAGE],
      )
      .toArray()
      .map(({ source }) => source);
  }

  override async alarm(): Promise<void> {
    const tenant = this.#tenant();
    if (tenant === undefined) return;
    const signed = await this.#sign(tenant);
    const moved = await this.#move(tenant);
    if (!signed.ok || !moved) await wakeBy(this.ctx.storage, Date.now() + AGAIN_MS);
  }

  async #take(tenant: string, checkpoints: Checkpoint[]): Promise<Result<null>> {
    const { storage } = this.ctx;
    const own = this.#tenant();
    if (own !== undefined && own !== tenant) return fail("forbidden");
    if (checkpoints.length > MAX_CHECKPOINTS) return fail("forbidden");
    // Before the leaves: if this object ends right after them, its alarm comes all the same.
    await wakeBy(storage, Date.now() + delays(this.env).root);
    if (own === undefined) this.#sql.exec("INSERT INTO log VALUES (1, ?)", tenant);
    for (const checkpoint of checkpoints) {
      const verdict = await take(this.#sql, (closure) => storage.transactionSync(closure), checkpoint);
      if (verdict !== "back") continue;
      const { source, sequence } = checkpoint;
      console.error(JSON.stringify({ event: "audit-goes-back", tenant, source, sequence }));
    }
    return ok(null);
  }

  #sign(tenant: string): Promise<Result<null>> {
    return fromHsm("audit-root", async () => {
      const sql = this.#sql;
      const frontier = frontierOf(sql);
      const [last] = sql
        .exec<{ size: number; signed: number }>("SELECT size, signed FROM roots ORDER BY size DESC LIMIT 1")
        .toArray();
      if (frontier.size === (last?.size ?? 0)) return ok(null);
      const now = seconds(Date.now());
      const kid = await thumbprint(jwkFromSpki(await this.#hsm.publicKey(SIGNER.audit.publicKey)));
      const trust = await this.#trustList(kid, now);
      // A later root is never signed earlier, whatever the clock does.
      const iat = Math.max(now, last?.signed ?? 0);
      const tree = { size: frontier.size, root: await rootOf(frontier) };
      const payload = rootPayload(tenant, tree, iat);
      const jws = await signCompact(this.#hsm, SIGNER.audit.key, { typ: SIGN_TYPE.audit, kid }, payload);
      this.ctx.storage.transactionSync(() => {
        sql.exec("INSERT OR IGNORE INTO roots VALUES (?, ?, ?)", frontier.size, jws, iat);
        sql.exec("INSERT OR REPLACE INTO trust VALUES (1, ?, ?, ?)", trust.list, kid, trust.read);
        sql.exec(
          `DELETE FROM roots WHERE size < (SELECT size FROM roots ORDER BY size DESC LIMIT 1 OFFSET ?)
           AND size NOT IN (SELECT max(size) FROM roots GROUP BY signed / ?)`,
          ...[ROOTS, DAY],
        );
      });
      return ok(null);
    });
  }

  /** What is kept, unless another key signs now or it is a day old: a list is made again a year before it ends. */
  async #trustList(kid: string, now: number): Promise<{ list: string; read: number }> {
    const [kept] = this.#sql
      .exec<{ list: string; kid: string; read: number }>("SELECT list, kid, read FROM trust")
      .toArray();
    if (kept !== undefined && kept.kid === kid && now < kept.read + DAY) return kept;
    return { list: new TextDecoder().decode(await this.#hsm.opaque(TRUST_LIST)), read: now };
  }

  async #move(tenant: string): Promise<boolean> {
    try {
      await moveTiles(this.#sql, this.env.AUDIT_SEGMENTS, tenant);
      return true;
    } catch (error) {
      const code = error instanceof Error ? error.name : "unknown";
      console.warn(JSON.stringify({ event: "audit-tile-waits", code }));
      return false;
    }
  }

  async #stored(index: number): Promise<ArrayBuffer> {
    const key = tileKey(this.#tenant() ?? "", wholePath("entries", index));
    const stored = await this.env.AUDIT_SEGMENTS.get(key);
    if (stored === null) throw new Error(`The bucket lacks bundle ${index} of the log`);
    return stored.arrayBuffer();
  }

  #tenant(): string | undefined {
    return this.#sql.exec<{ tenant: string }>("SELECT tenant FROM log").toArray()[0]?.tenant;
  }
}
