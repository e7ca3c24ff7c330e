import { WorkerEntrypoint } from "cloudflare:workers";
import { seconds } from "#protocol/clock.ts";
import { type Asked, signResult } from "#protocol/evidence/index.ts";
import { fail, ok, type Result } from "../result.ts";
import { appraise, type Presented } from "./appraise.ts";
import { signingKey } from "./key.ts";
import { platformSecrets } from "./platform-secrets.ts";
import { policyOf } from "./policy.ts";

/** What is to be appraised, and for whom the result is. */
export type Order = { tenant: string } & Presented & Asked;

/**
 * The verifier's door. It keeps nothing and decides nothing: it says in a signed result what evidence is worth, and the registration
 * authority decides by it.
 */
export class Verifier extends WorkerEntrypoint<Env> {
  /** Media types of the evidence that a tenant takes; none where it takes none, or nothing could sign results. */
  async accepts({ tenant }: { tenant: string }): Promise<Result<string[]>> {
    const policy = policyOf(this.env.COFFER_ATTESTATION, tenant);
    const key = await signingKey(this.env);
    return ok(key === null ? [] : (policy?.accept.map(({ type }) => type) ?? []));
  }

  /** A result (EAR), whatever it says. */
  async appraise({ tenant, audience, nonce, key, ...presented }: Order): Promise<Result<string>> {
    const signer = await signingKey(this.env);
    if (signer === null) return fail("internal");
    const now = Date.now();
    const production = this.env.COFFER_ENVIRONMENT !== "development";
    const policy = policyOf(this.env.COFFER_ATTESTATION, tenant);
    const secrets = await platformSecrets(this.env);
    const appraisal = await appraise(policy, { nonce, ...presented }, { now, production, secrets });
    return ok(await signResult(signer, { audience, nonce, key }, appraisal, seconds(now)));
  }
}
