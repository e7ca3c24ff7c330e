import { DurableObject } from "cloudflare:workers";
import type { Checkpoint } from "#protocol/audit/index.ts";
import { wakeBy } from "../alarm.ts";
import { fail, ok, type Result } from "../result.ts";
import { gathererName, MAX_CHECKPOINTS, nextOf, type Place, placeOf } from "./gathering.ts";
import { AGAIN_MS, delays } from "./times.ts";
import { keep, passOn, SCHEMA } from "./waiting.ts";

/**
 * Gathers checkpoints for a while and passes them on in one call, to another gatherer or to the tenant's log. Named as
 * `gathererName` says.
 */
export class AuditGathererObject extends DurableObject<Env> {
  #opened: SqlStorage | undefined;

  /** An object that nobody has told anything writes nothing. */
  get #sql(): SqlStorage {
    const { sql } = this.ctx.storage;
    if (this.#opened === undefined) sql.exec(SCHEMA);
    this.#opened = sql;
    return sql;
  }

  /** Once they are taken they are this object's to pass on. */
  async take(tenant: string, checkpoints: Checkpoint[]): Promise<Result<null>> {
    if (this.#place()?.tenant !== tenant || checkpoints.length > MAX_CHECKPOINTS) return fail("forbidden");
    const { storage } = this.ctx;
    // Before the rows: if this object ends right after them, its alarm comes all the same.
    await wakeBy(storage, Date.now() + delays(this.env).gatherer);
    const sql = this.#sql;
    storage.transactionSync(() => keep(sql, checkpoints));
    return ok(null);
  }

  override async alarm(): Promise<void> {
    const place = this.#place();
    if (place === null) return;
    const told = await passOn(this.#sql, (checkpoints) =>
      this.#tell(place, checkpoints).catch(() => fail("internal")),
    );
    if (told.ok) return;
    const { level, number } = place;
    console.warn(JSON.stringify({ event: "audit-gatherer-waits", level, number, code: told.problem.code }));
    await wakeBy(this.ctx.storage, Date.now() + AGAIN_MS);
  }

  #tell(place: Place, checkpoints: Checkpoint[]): Promise<Result<null>> {
    const { tenant } = place;
    const next = nextOf(place);
    return next === null
      ? this.env.AUDIT_LOG_OBJECT.getByName(tenant).take(tenant, checkpoints)
      : this.env.AUDIT_GATHERER_OBJECT.getByName(gathererName(next)).take(tenant, checkpoints);
  }

  #place(): Place | null {
    return placeOf(this.ctx.id.name ?? "");
  }
}
