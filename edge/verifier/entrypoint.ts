import { WorkerEntrypoint } from "cloudflare:workers";
import { seconds } from "#protocol/clock.ts";
import { type Asked, signPasskey, signResult } from "#protocol/evidence/index.ts";
import { fail, ok, type Result } from "../result.ts";
import { appraise, type Presented } from "./appraise.ts";
import { signingKey } from "./key.ts";
import { type Registration, verifyRegistration } from "./passkey.ts";
import { platformSecrets } from "./platform-secrets.ts";
import { policyOf } from "./policy.ts";

/** What is to be appraised, and for whom the result is. */
export type Order = { tenant: string } & Presented & Asked;

/** What a passkey's registration is to be verified by, and for whom the result is. */
export type PasskeyOrder = { tenant: string } & Registration & Pick<Asked, "audience" | "nonce">;

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

  /** A passkey that was registered, as a signed result; or why not, which nobody signs. */
  async passkey(order: PasskeyOrder): Promise<Result<{ signed: string } | { refused: string }>> {
    const { tenant, audience, nonce, ...registration } = order;
    const signer = await signingKey(this.env);
    if (signer === null) return fail("internal");
    const now = Date.now();
    const production = this.env.COFFER_ENVIRONMENT !== "development";
    try {
      const policy = policyOf(this.env.COFFER_ATTESTATION, tenant);
      const found = await verifyRegistration(policy, registration, { now, production });
      return ok({ signed: await signPasskey(signer, { audience, nonce }, found, seconds(now)) });
    } catch (error) {
      return ok({ refused: error instanceof Error ? error.message.slice(0, 160) : "not a registration" });
    }
  }
}
