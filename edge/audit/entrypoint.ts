import { WorkerEntrypoint } from "cloudflare:workers";
import { isTenantName } from "#protocol/hierarchy/index.ts";
import { exportOf } from "./export.ts";

/** The audit's door for an operator, who reads. No other domain is bound to it. */
export class Audit extends WorkerEntrypoint<Env> {
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
}
