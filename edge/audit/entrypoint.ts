import { WorkerEntrypoint } from "cloudflare:workers";
import { MAX_SOURCE } from "#protocol/audit/index.ts";
import { isTenantName } from "#protocol/hierarchy/index.ts";
import { fail, type Result } from "../result.ts";
import type { Batch } from "./append.ts";
import { exportOf } from "./export.ts";

/** What the service binding says of who calls: the operator's word in wrangler.toml, not the caller's. */
type Props = { domain?: string };

/** Rows of one call. */
const MAX_ROWS = 1000;

/** The door of the audit domain. Domains append; nobody changes or removes. */
export class Audit extends WorkerEntrypoint<Env, Props> {
  /**
   * Rows of one outbox of the calling domain, in order. Idempotent by epoch and outbox numbers. A tenant that has been taken
   * out of the deployment's table still has its last rows kept.
   */
  async append(batch: Batch): Promise<Result<{ accepted: number }>> {
    const { domain } = this.ctx.props;
    const { tenant, source, rows } = batch;
    const own = domain !== undefined && (source === domain || source.startsWith(`${domain}/`));
    if (!own) return fail("forbidden");
    if (!isTenantName(tenant) || source.length > MAX_SOURCE || rows.length > MAX_ROWS)
      return fail("forbidden");
    return this.#source(tenant, source).append(batch);
  }

  /** The newest root of a tenant's log that is signed already, a compact JWS; null before the first one. */
  async lastSignedRoot(tenant: string): Promise<string | null> {
    if (!isTenantName(tenant)) return null;
    return this.env.AUDIT_LOG_OBJECT.getByName(tenant).lastSignedRoot();
  }

  /** A tenant's audit as NDJSON, which proves itself: signed roots, the log, and every chain (protocol/audit/export.ts). */
  async export(tenant: string): Promise<ReadableStream<Uint8Array>> {
    if (!isTenantName(tenant)) throw new TypeError("not a tenant's name");
    const parts = exportOf(this.env, tenant);
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await parts.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await parts.return(undefined);
      },
    });
  }

  #source(tenant: string, source: string) {
    return this.env.AUDIT_SOURCE_OBJECT.getByName(`${tenant}/${source}`);
  }
}
