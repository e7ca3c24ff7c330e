import { WorkerEntrypoint } from "cloudflare:workers";
import type { Result } from "../result.ts";
import { Kms } from "./entrypoint.ts";

/**
 * The KMS's door for the registration authority in split operation. It says what an instance is; through the other door it
 * could also say who asks, and have keys released to an instance of its own.
 */
export class KmsForRa extends WorkerEntrypoint<Env> {
  async hasMasterKey(of: { tenant: string }): Promise<Result<boolean>> {
    return new Kms(this.ctx, this.env).hasMasterKey(of);
  }
}
