import { WorkerEntrypoint } from "cloudflare:workers";
import { MAX_SOURCE } from "#protocol/audit/index.ts";
import { isTenantName } from "#protocol/hierarchy/index.ts";
import { fail, type Result } from "../result.ts";
import type { Batch } from "./append.ts";

/** What the service binding says of who calls: the operator's word in wrangler.toml, not the caller's. */
type Props = { domain?: string };

/** Rows of one call. */
const MAX_ROWS = 1000;

/** The audit's door for the domains: they append. Nobody changes or removes, and none reads here what another has told. */
export class AuditForDomains extends WorkerEntrypoint<Env, Props> {
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

  #source(tenant: string, source: string) {
    return this.env.AUDIT_SOURCE_OBJECT.getByName(`${tenant}/${source}`);
  }
}
