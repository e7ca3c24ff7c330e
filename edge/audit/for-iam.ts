import { WorkerEntrypoint } from "cloudflare:workers";
import { isTenantName } from "#protocol/hierarchy/index.ts";
import { type AuditPage, pageOf } from "./reading.ts";

/** The audit's door for the IAM, which decides who may read: it reads, and changes nothing. */
export class AuditForIam extends WorkerEntrypoint<Env> {
  /** What all domains have decided about a subject (an account, a user; null for the tenant itself), the newest first. */
  async auditPage(of: { tenant: string; subject: string | null; before: string | null }): Promise<AuditPage> {
    return isTenantName(of.tenant) ? pageOf(this.env, of) : { entries: [] };
  }
}
