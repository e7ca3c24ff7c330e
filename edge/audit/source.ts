import { DurableObject } from "cloudflare:workers";
import type { Checkpoint, Link } from "#protocol/audit/index.ts";
import { wakeBy } from "../alarm.ts";
import { fail, ok, type Result } from "../result.ts";
import { append, type Batch, headOf, lastOf, SCHEMA } from "./append.ts";
import { gathererName, gathererOf } from "./gathering.ts";
import { closeSegments, type Segment, segmentPrefix } from "./segments.ts";
import { AGAIN_MS, delays, keeping } from "./times.ts";

const PAGE = 500;

type Own = { tenant: string; name: string; epoch: string; logged: number };

/**
 * The hash chain of one source, named `<tenant>/<source>`. Not built on `openStore`: this is where the outboxes end. How far
 * it has come it tells its gatherer, on the way to the tenant's log, until it was heard.
 */
export class AuditSourceObject extends DurableObject<Env> {
  #opened: SqlStorage | undefined;
  /** Appends one after the other: each link needs the hash of the one before, and hashing is asynchronous. */
  #tail: Promise<unknown> = Promise.resolve();

  /** An object that nobody has appended to writes nothing. */
  get #sql(): SqlStorage {
    const { sql } = this.ctx.storage;
    if (this.#opened === undefined) sql.exec(SCHEMA);
    this.#opened = sql;
    return sql;
  }

  /** Appends what is new of the source's outbox; a batch that comes twice is taken once. */
  append(batch: Batch): Promise<Result<{ accepted: number }>> {
    const appended = this.#tail.then(() => this.#append(batch));
    this.#tail = appended.catch(() => {});
    return appended;
  }

  /** What comes after `sequence`: a segment, or at most 500 links that are still here; none at the end. */
  after(sequence: number): Segment | Link[] {
    const [segment] = this.#sql
      .exec<Segment>("SELECT first, last, hash, key FROM segments WHERE first = ?", sequence + 1)
      .toArray();
    if (segment !== undefined) return segment;
    return this.#sql
      .exec<Link>(
        "SELECT sequence, previous, entry, hash FROM links WHERE sequence > ? ORDER BY sequence LIMIT ?",
        ...[sequence, PAGE],
      )
      .toArray();
  }

  /**
   * What comes before `sequence`, the newest first: at most `count` links that are still here, or the segment that has them; none
   * at the beginning, and where nobody has appended.
   */
  before(sequence: number, count: number): Segment | Link[] {
    const { sql } = this.ctx.storage;
    // Reading a source that somebody made up writes nothing.
    if (sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'links'").toArray().length === 0) return [];
    const links = this.#sql
      .exec<Link>(
        "SELECT sequence, previous, entry, hash FROM links WHERE sequence < ? ORDER BY sequence DESC LIMIT ?",
        ...[sequence, count],
      )
      .toArray();
    if (links.length > 0) return links;
    const [segment] = this.#sql
      .exec<Segment>(
        "SELECT first, last, hash, key FROM segments WHERE first < ? ORDER BY first DESC LIMIT 1",
        sequence,
      )
      .toArray();
    return segment ?? [];
  }

  override async alarm(): Promise<void> {
    const { storage } = this.ctx;
    const own = this.#own();
    if (own === undefined) return;
    const told = await this.#tell(own);
    const closed = await this.#close(own);
    if (!told || !closed) return wakeBy(storage, Date.now() + AGAIN_MS);
    const { oldest } = this.#sql
      .exec<{ oldest: number | null }>("SELECT min(chained) AS oldest FROM links")
      .one();
    if (oldest !== null) await wakeBy(storage, oldest + keeping(this.env).ms);
  }

  async #append(batch: Batch): Promise<Result<{ accepted: number }>> {
    const { storage } = this.ctx;
    const own = this.#own();
    if (own !== undefined && (own.tenant !== batch.tenant || own.name !== batch.source))
      return fail("forbidden");
    // What a source's outbox had delivered to the chain of earlier releases is there, and must not come again.
    const after =
      lastOf(this.#sql, batch.epoch) ??
      (await this.env.AUDIT_OBJECT.getByName(batch.tenant).last(batch.source, batch.epoch));
    if (!batch.rows.some(({ outbox }) => outbox > after)) return ok({ accepted: 0 });
    // Before the entries: if this object ends right after them, its alarm comes all the same.
    await wakeBy(storage, Date.now() + delays(this.env).checkpoint);
    const by = { after, now: Date.now() };
    return ok({
      accepted: await append(this.#sql, (closure) => storage.transactionSync(closure), batch, by),
    });
  }

  /** Tells where the chain ends. Answers whether nothing is left to tell. */
  async #tell({ tenant, name, epoch, logged }: Own): Promise<boolean> {
    const { sequence, hash } = headOf(this.#sql);
    if (sequence === logged) return true;
    const checkpoint: Checkpoint = { source: name, epoch, sequence, head: hash };
    const gatherer = gathererName(await gathererOf(tenant, name));
    const taken = await this.env.AUDIT_GATHERER_OBJECT.getByName(gatherer)
      .take(tenant, [checkpoint])
      .catch(() => fail("internal"));
    if (taken.ok) this.#sql.exec("UPDATE source SET logged = ?", sequence);
    else warn("audit-checkpoint-waits", name, taken.problem.code);
    return taken.ok;
  }

  async #close({ tenant, name }: Own): Promise<boolean> {
    const { storage } = this.ctx;
    const { bound, ms } = keeping(this.env);
    const by = { prefix: segmentPrefix(tenant, name), bound, before: Date.now() - ms };
    const transaction = (closure: () => void) => storage.transactionSync(closure);
    try {
      await closeSegments(this.#sql, transaction, this.env.AUDIT_SEGMENTS, by);
      return true;
    } catch (error) {
      warn("audit-segment-waits", name, error instanceof Error ? error.name : "unknown");
      return false;
    }
  }

  #own(): Own | undefined {
    return this.#sql.exec<Own>("SELECT tenant, name, epoch, logged FROM source").toArray()[0];
  }
}

function warn(event: string, source: string, code: string): void {
  console.warn(JSON.stringify({ event, source, code }));
}
