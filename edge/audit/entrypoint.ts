import { WorkerEntrypoint } from "cloudflare:workers";
import type { Head } from "#protocol/audit/index.ts";
import { utf8 } from "#protocol/bytes.ts";
import { isTenantName } from "#protocol/hierarchy/index.ts";
import { fail, type Result } from "../result.ts";
import type { Batch } from "./append.ts";

/** What the service binding says of who calls: the operator's word in wrangler.toml, not the caller's. */
type Props = { domain?: string };

/** The door of the audit domain. Domains append; nobody changes or removes. */
export class Audit extends WorkerEntrypoint<Env, Props> {
  /**
   * Rows of one outbox of the calling domain, in order. Idempotent by epoch and outbox numbers. A tenant that has been taken
   * out of the deployment's table still has its last rows kept.
   */
  async append(batch: Batch): Promise<Result<{ accepted: number }>> {
    const { domain } = this.ctx.props;
    const own = domain !== undefined && (batch.source === domain || batch.source.startsWith(`${domain}/`));
    if (!own) return fail("forbidden");
    if (!isTenantName(batch.tenant) || batch.rows.length > 1000) return fail("forbidden");
    return this.#object(batch.tenant).append(batch);
  }

  async head(tenant: string): Promise<Head> {
    return this.#object(tenant).head();
  }

  /** The head as it is now, a compact JWS signed by the HSM. */
  async signedHead(tenant: string): Promise<Result<string>> {
    return this.#object(tenant).signedHead();
  }

  /** The newest head that is signed already; at most seconds old, and null before the first one. */
  async lastSignedHead(tenant: string): Promise<string | null> {
    return this.#object(tenant).lastSignedHead();
  }

  /** A tenant's whole chain as NDJSON, one link {sequence, previous, entry, hash} a line; `entry` is the text that was hashed. */
  async export(tenant: string): Promise<ReadableStream<Uint8Array>> {
    const object = this.#object(tenant);
    let after = 0;
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        const links = await object.links(after);
        const last = links.at(-1);
        if (last === undefined) return controller.close();
        after = last.sequence;
        controller.enqueue(utf8(links.map((link) => `${JSON.stringify(link)}\n`).join("")));
      },
    });
  }

  #object(tenant: string) {
    return this.env.AUDIT_OBJECT.getByName(tenant);
  }
}
