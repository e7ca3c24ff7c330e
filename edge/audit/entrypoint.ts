import { WorkerEntrypoint } from "cloudflare:workers";
import { utf8 } from "#protocol/bytes.ts";
import { fail, type Result } from "../result.ts";
import type { Batch, Head } from "./append.ts";

/** What the service binding says of who calls: the operator's word in wrangler.toml, not the caller's. */
type Props = { domain?: string };

/** The door of the audit domain. Domains append; nobody changes or removes. */
export class Audit extends WorkerEntrypoint<Env, Props> {
  /** Rows of one outbox of the calling domain, in order. Idempotent by epoch and outbox numbers. */
  async append(batch: Batch): Promise<Result<{ accepted: number }>> {
    const { domain } = this.ctx.props;
    const own = domain !== undefined && (batch.source === domain || batch.source.startsWith(`${domain}/`));
    if (!own) return fail("forbidden");
    if (batch.tenant !== this.env.COFFER_TENANT || batch.rows.length > 1000) return fail("forbidden");
    return this.#object.append(batch);
  }

  async head(): Promise<Head> {
    return this.#object.head();
  }

  /** The head as it is now, a compact JWS signed by the HSM. */
  async signedHead(): Promise<Result<string>> {
    return this.#object.signedHead();
  }

  /** The newest head that is signed already; at most seconds old, and null before the first one. */
  async lastSignedHead(): Promise<string | null> {
    return this.#object.lastSignedHead();
  }

  /** The whole chain as NDJSON, one link {sequence, previous, entry, hash} a line; `entry` is the text that was hashed. */
  async export(): Promise<ReadableStream<Uint8Array>> {
    const object = this.#object;
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

  get #object() {
    return this.env.AUDIT_OBJECT.getByName(this.env.COFFER_TENANT);
  }
}
