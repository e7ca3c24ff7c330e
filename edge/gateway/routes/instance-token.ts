import { seconds } from "#protocol/clock.ts";
import {
  ASSERTION_JWT_TYPE,
  type InstanceAssertion,
  instanceAssertion,
  instanceTokenRequest,
} from "#protocol/contract/index.ts";
import { verifyJws } from "#protocol/keys/index.ts";
import { fits } from "#protocol/shape.ts";
import { checkAssertion } from "../../assertion.ts";
import { publicUrl, tenantOf } from "../context.ts";
import { type Proof, verifyProof } from "../dpop.ts";
import { Refused, refused } from "../problem.ts";
import type { ContractHandlers } from "../serve.ts";
import { OAUTH, oauth } from "./oauth-errors.ts";

/** RFC 7523 §3: who holds an instance's identity key. Whether that instance lives, the IAM says; there the assertion is used up. */
export const instanceToken: ContractHandlers["instanceToken"] = async ({ c, body: form }) => {
  const request: unknown = Object.fromEntries(form);
  if (form.get("grant_type") !== "client_credentials")
    throw new Refused("bad-request", { error: "unsupported_grant_type" });
  if (!fits(instanceTokenRequest, request)) throw oauth("bad-request");
  const now = seconds(Date.now());
  const proof = await verifyProof(c.req.header("dpop"), { method: "POST", url: publicUrl(c) }, now).catch(
    () => {
      throw oauth("invalid-proof");
    },
  );
  const { requestId, site } = c.var;
  const expected = { proof, audience: site.origin, now };
  const { assertion, certificate } = await verifyAssertion(request.client_assertion, expected).catch(() => {
    throw oauth("invalid-client");
  });
  const { sub: instance, custodian, jti, exp: expires } = assertion;
  const { jkt } = proof;
  const result = await c.env.IAM.instanceToken({
    tenant: tenantOf(c),
    ...{ instance, custodian, certificate, assertion: { jti, expires } },
    ...{ proof: { jkt, jti: proof.jti, expires: proof.expires }, requestId },
  });
  if (!result.ok) throw refused(result.problem, OAUTH[result.problem.code]);
  return c.json(result.value, 200, { pragma: "no-cache" });
};

/** Signed by the key of the proof, by itself about itself, for this vault, for a minute at most. Throws otherwise. */
async function verifyAssertion(
  token: string,
  { proof, audience, now }: { proof: Proof; audience: string; now: number },
): Promise<{ assertion: InstanceAssertion; certificate: string }> {
  let certificate = "";
  const assertion = await verifyJws(token, ASSERTION_JWT_TYPE, (kid) => {
    certificate = kid;
    return proof.key;
  });
  if (!fits(instanceAssertion, assertion)) throw new Error("not an assertion");
  checkAssertion(assertion, { audience, now });
  return { assertion, certificate };
}
