import { CLOCK_TOLERANCE, seconds } from "#protocol/clock.ts";
import {
  ASSERTION_JWT_TYPE,
  ASSERTION_SECONDS,
  type InstanceAssertion,
  instanceAssertion,
  instanceTokenRequest,
  type ProblemCode,
} from "#protocol/contract/index.ts";
import { verifyJws } from "#protocol/keys/index.ts";
import { fits } from "#protocol/shape.ts";
import { publicUrl, tenantOf } from "../context.ts";
import { type Proof, verifyProof } from "../dpop.ts";
import { Refused, refused } from "../problem.ts";
import type { ContractHandlers } from "../serve.ts";

/** OAuth's names of what may go wrong here (RFC 6749 §5.2, RFC 9449 §5). */
const OAUTH: Partial<Record<ProblemCode, string>> = {
  "bad-request": "invalid_request",
  "invalid-client": "invalid_client",
  "invalid-proof": "invalid_dpop_proof",
  forbidden: "unauthorized_client",
};

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
  const { iss, sub, aud, iat, exp } = assertion;
  if (iss !== sub) throw new Error("iss");
  if (aud !== audience) throw new Error("aud");
  if (!(iat <= now + CLOCK_TOLERANCE)) throw new Error("iat");
  if (!(iat < exp && exp <= iat + ASSERTION_SECONDS && now < exp + CLOCK_TOLERANCE)) throw new Error("exp");
  return { assertion, certificate };
}

function oauth(code: ProblemCode): Refused {
  const error = OAUTH[code];
  return new Refused(code, error === undefined ? {} : { error });
}
