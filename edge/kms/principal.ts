import { DurableObject } from "cloudflare:workers";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { type Refusal, type Result, refuse } from "../result.ts";
import { hasStore, openStore, type Store } from "../store.ts";
import { PRINCIPAL_MIGRATIONS } from "./schema.ts";

/** What the KMS decides of one principal and no account; named `<tenant>/<principal>`. */
export class KmsPrincipalObject extends DurableObject<Env> {
  #opened: Store | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    // What was decided before it was evicted.
    if (hasStore(ctx)) this.#open();
  }

  /** Records a refusal that is no account's: of an EDK that none of ours was. */
  refused(caller: Caller, action: string, { problem, reason }: Refusal): Result<never> {
    const about = { action, caller, resource: "edk", requestId: caller.requestId };
    return authorize<never>(this.#open(), about, () => refuse(problem.code, reason));
  }

  override async alarm(): Promise<void> {
    if (hasStore(this.ctx)) await this.#open().flush();
  }

  #open(): Store {
    const { ctx, env } = this;
    this.#opened ??= openStore(ctx, {
      domain: "kms",
      audit: env.AUDIT_KMS,
      migrations: PRINCIPAL_MIGRATIONS,
    });
    return this.#opened;
  }
}
