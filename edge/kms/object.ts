import { DurableObject } from "cloudflare:workers";
import { seconds } from "#protocol/clock.ts";
import type { DataKeysRequest, ExportRequest } from "#protocol/contract/index.ts";
import type { Load, LoadRequest } from "#protocol/keys/index.ts";
import type { Caller } from "../caller.ts";
import { openHsm } from "../hsm/index.ts";
import { openLedger } from "../hsm/keys/index.ts";
import type { Result } from "../result.ts";
import { openStore } from "../store.ts";
import type { Context } from "./context.ts";
import { orderExport } from "./export.ts";
import { issueDataKeys } from "./issue.ts";
import { load } from "./loading/index.ts";
import { hasMasterKey } from "./master-key.ts";
import { DataKeyQuota } from "./quota.ts";
import { MIGRATIONS } from "./schema.ts";
import { Trust } from "./trust.ts";

/** State and decisions of the KMS, one object a tenant. It only wires: each of its methods is a file beside it. */
export class KmsObject extends DurableObject<Env> {
  readonly #kms: Context;
  readonly #quota: DataKeyQuota;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const hsm = openHsm(env.HSM_KMS, env.COFFER_HSM_URL);
    this.#kms = {
      store: openStore(ctx, { domain: "kms", audit: env.AUDIT_KMS, migrations: MIGRATIONS }),
      hsm,
      ledger: openLedger(ctx, hsm, "kms"),
      trust: new Trust(hsm, () => seconds(Date.now())),
      neighbours: env,
    };
    this.#quota = new DataKeyQuota(env.COFFER_DATA_KEYS_PER_HOUR);
  }

  /** M6: new data keys for an account, as EDKs. */
  dataKeys(caller: Caller, request: DataKeysRequest): Promise<Result<{ edks: string[] }>> {
    return issueDataKeys(this.#kms, this.#quota, caller, request);
  }

  /** M8: a data key for the caller's instance, by one of the ways. */
  load(caller: Caller, request: LoadRequest): Promise<Result<Load>> {
    return load(this.#kms, caller, request);
  }

  orderExport(caller: Caller, request: ExportRequest): Promise<Result<{ order: string }>> {
    return orderExport(this.#kms, caller, request);
  }

  /** For the RA (M5). */
  hasMasterKey(): Promise<Result<boolean>> {
    return hasMasterKey(this.#kms);
  }

  override async alarm(): Promise<void> {
    await this.#kms.store.flush();
    await this.#kms.ledger.sweep();
  }
}
